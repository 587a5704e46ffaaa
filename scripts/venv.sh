# Sourced by the other scripts: makes .venv with what pyproject.toml asks for, once, and uses it.
# PYTHON names another interpreter. Only pip uses the network.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

find_python() {
    local candidate
    for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 python}; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    echo "quoth needs Python 3.11 or newer; set PYTHON to its path" >&2
    exit 1
}

make_venv() {
    local python stamp wanted
    python=$(find_python)
    stamp=.venv/quoth-installed
    wanted="$("$python" --version) $(cksum <pyproject.toml)"
    if [[ ! -x .venv/bin/python || $(cat "$stamp" 2>/dev/null) != "$wanted" ]]; then
        echo "== installing into .venv (once, and when pyproject.toml changes)"
        if ! "$python" -m venv --clear .venv; then
            echo "$python cannot make a virtual environment (on Debian: apt install python3-venv)" >&2
            exit 1
        fi
        .venv/bin/python -m pip install --quiet --disable-pip-version-check --use-pep517 -e '.[dev]'
        echo "$wanted" >"$stamp"
    fi
}

make_venv
export PATH="$PWD/.venv/bin:$PATH" PYTHONUNBUFFERED=1
unset PYTHONPATH PYTHONHOME
