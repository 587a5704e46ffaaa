"""The command line, `quoth`: words in, one exit code out.

    0  done        1  the cluster refused or could not be reached        2  nothing was started

What a program may read goes to stdout, everything else to stderr. A failure is one line.
"""

import asyncio
import errno
import logging
import sys
import traceback
from collections.abc import Callable
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated

import typer

from quoth_node.admin import add_node, ask_cluster, move_node, remove_node
from quoth_node.child import LINE_PREFIX
from quoth_node.cli_sequences import sequence
from quoth_node.config import NodeConfig, check_tag, check_url
from quoth_node.errors import BadConfig, CommandLineError, PortInUse
from quoth_node.folder import NodeFolder
from quoth_node.lifeline import die_with
from quoth_node.ports import require_free
from quoth_node.settings import read_settings
from quoth_node.status import show, to_json
from quoth_node.supervisor import ClusterConfig, stop_on_signals, supervise

app = typer.Typer(
    name="quoth",
    help="A cluster document database: sessions, Raft, and the RavenDB protocol.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
cluster = typer.Typer(help="Start a cluster, look at it, change its members.", no_args_is_help=True)
node = typer.Typer(help="One node by itself.", no_args_is_help=True)
app.add_typer(cluster, name="cluster")
app.add_typer(node, name="node")
app.add_typer(sequence, name="sequence")

URL_DEFAULT = "http://127.0.0.1:8080"
Url = Annotated[str, typer.Option(help="Any node of the cluster.")]
Host = Annotated[str, typer.Option(help="The address to listen on.")]
Json = Annotated[bool, typer.Option("--json", help="Write JSON, for programs.")]
Insecure = Annotated[
    bool, typer.Option("--insecure", help="Allow an address that other machines can reach.")
]
Settings = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="Settings in TOML: `[raft]`, `[tls]`."),
]


def main() -> None:
    """Run the command line and exit."""
    try:
        app()
    except CommandLineError as error:
        print(f"{LINE_PREFIX}{error}", file=sys.stderr, flush=True)
        sys.exit(error.exit_code)
    except Exception as error:  # ours to mend: all of it for us, one line for a person
        traceback.print_exc()
        cause: BaseException = error
        while isinstance(cause, BaseExceptionGroup):
            cause = cause.exceptions[0]
        told = f"{type(cause).__name__}: {cause}"
        print(f"{LINE_PREFIX}an error nobody foresaw: {told}", file=sys.stderr, flush=True)
        sys.exit(1)


def _show_version(wanted: bool) -> None:
    if wanted:
        try:
            print(f"quoth {version('quoth')}")
        except PackageNotFoundError:
            print("quoth (not installed)")
        raise typer.Exit


@app.callback()
def quoth(
    _: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """A cluster document database: sessions, Raft, and the RavenDB protocol.

    Start here:

        quoth cluster start --nodes 3 --port 8080 --data ./cluster
    """


@cluster.command("start")
def cluster_start(
    data: Annotated[Path, typer.Option(metavar="DIR", help="Node A keeps its data in DIR/A.")],
    nodes: Annotated[
        int | None, typer.Option(help="How many nodes. Default: those found in DIR, or 3.")
    ] = None,
    port: Annotated[int, typer.Option(help="Node i listens on PORT + i, from 0.")] = 8080,
    host: Host = "127.0.0.1",
    restart: Annotated[
        bool, typer.Option("--restart", help="Start a node again when it dies.")
    ] = False,
    insecure: Insecure = False,
    config: Settings = None,
) -> None:
    """Start a cluster on this machine and stay with it until Ctrl-C.

    Prints one line on stdout, `ready URL URL URL`, when a leader is elected and every node
    answers. Started again on the same DIR, it goes on with the data.

    Examples:

        quoth cluster start --nodes 3 --port 8080 --data ./cluster

        quoth cluster start --data ./cluster --restart

    A node's process id is in DIR/TAG/node.pid, what it said in DIR/TAG/node.log.
    """
    wanted = ClusterConfig(
        folder=data.absolute(),
        first_port=port,
        nodes=nodes,
        host=host,
        insecure=insecure,
        restart=restart,
        settings=config,
    )
    sys.exit(asyncio.run(supervise(wanted)))


@cluster.command("status")
def cluster_status(url: Url = URL_DEFAULT, json: Json = False) -> None:
    """Show the leader, the term, the members, and how far each has come.

    Examples:

        quoth cluster status

        quoth cluster status --url http://127.0.0.1:8081 --json
    """
    check_url(url)
    view = asyncio.run(ask_cluster(url))
    if json:
        print(to_json(view))
    else:
        show(view)


@cluster.command("add")
def cluster_add(
    node: Annotated[str, typer.Argument(metavar="TAG=URL", help="A running node, not a member.")],
    url: Url = URL_DEFAULT,
) -> None:
    """Make a running node a member, through the log.

    A node started with `quoth node start --join URL` does this by itself, unless told to wait.

    Example:

        quoth node start --tag D --port 8083 --data ./d --join URL --wait-to-be-added

        quoth cluster add D=http://127.0.0.1:8083 --url http://127.0.0.1:8080
    """
    tag, separator, node_url = node.partition("=")
    if not separator:
        raise BadConfig(f"{node!r} is not TAG=URL, as in D=http://127.0.0.1:8083")
    check_tag(tag)
    check_url(node_url)
    check_url(url)
    asyncio.run(add_node(url, tag, node_url))
    print(f"{tag} is a member")


@cluster.command("remove")
def cluster_remove(
    node: Annotated[str, typer.Argument(metavar="TAG", help="The node to remove.")],
    url: Url = URL_DEFAULT,
) -> None:
    """Remove a member, through the log; a leader hands over first.

    Example:

        quoth cluster remove C --url http://127.0.0.1:8080
    """
    check_tag(node)
    check_url(url)
    asyncio.run(remove_node(url, node))
    print(f"{node} is not a member any more")


@cluster.command("promote")
def cluster_promote(
    node: Annotated[str, typer.Argument(metavar="TAG", help="A watcher.")],
    url: Url = URL_DEFAULT,
) -> None:
    """Let a watcher become a member: it votes once it has caught up.

    Example:

        quoth cluster promote D --url http://127.0.0.1:8080
    """
    _move(node, url, to="promote")
    print(f"{node} becomes a member")


@cluster.command("demote")
def cluster_demote(
    node: Annotated[str, typer.Argument(metavar="TAG", help="A member.")],
    url: Url = URL_DEFAULT,
) -> None:
    """Make a watcher of a member: it receives everything and does not vote; a leader hands over.

    Example:

        quoth cluster demote C --url http://127.0.0.1:8080
    """
    _move(node, url, to="demote")
    print(f"{node} is a watcher")


def _move(node: str, url: str, *, to: str) -> None:
    check_tag(node)
    check_url(url)
    asyncio.run(move_node(url, node, to=to))


@node.command("start")
def node_start(
    tag: Annotated[str, typer.Option(help="Its name: 1 to 4 letters A-Z.")],
    data: Annotated[Path, typer.Option(metavar="DIR", help="Its data folder, made if missing.")],
    port: Annotated[int, typer.Option(help="For applications (HTTP).")] = 8080,
    peer_port: Annotated[int, typer.Option(help="For other nodes. 0: it chooses one.")] = 0,
    host: Host = "127.0.0.1",
    peer_host: Annotated[
        str | None, typer.Option(metavar="HOST", help="... for other nodes, if not --host.")
    ] = None,
    advertise: Annotated[
        str | None, typer.Option(metavar="HOST", help="How others reach it, if not by --host.")
    ] = None,
    join: Annotated[
        str | None, typer.Option(metavar="URL", help="A node of the cluster to join.")
    ] = None,
    wait_to_be_added: Annotated[
        bool, typer.Option("--wait-to-be-added", help="Do not ask: wait for `quoth cluster add`.")
    ] = False,
    insecure: Insecure = False,
    config: Settings = None,
    supervisor: Annotated[int | None, typer.Option(hidden=True)] = None,
) -> None:
    """Start one node and stay with it until Ctrl-C.

    Without --join, on an empty DIR, it founds a cluster of one; on a DIR with data it goes on.
    Prints `ready URL` on stdout when it is a member, knows a leader and answers.

    Examples:

        quoth node start --tag A --port 8080 --data ./a

        quoth node start --tag B --port 8081 --data ./b --join http://127.0.0.1:8080
    """
    if supervisor is not None:
        die_with(supervisor)
    check_tag(tag)
    settings = read_settings(config, tag=tag)
    wanted = NodeConfig(
        tag=tag,
        http_host=host,
        http_port=port,
        peer_host=peer_host or host,
        peer_port=peer_port,
        advertised_host=advertise,
        folder=data.absolute(),
        join_url=join,
        asks_to_join=not wait_to_be_added,
        insecure=insecure,
        tls=settings.tls,
        raft=settings.raft,
    )
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    with NodeFolder.open(wanted.folder, tag=tag) as folder:
        require_free(host, port)
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            exit_code = runner.run(_serve(wanted, folder))
    sys.exit(exit_code)


async def _serve(config: NodeConfig, folder: NodeFolder) -> int:
    # Only here: the other commands start faster without the server's rooms.
    from quoth_node.node import run_node

    stop_on_signals()
    try:
        return await run_node(config, folder, partial(print, "ready", flush=True))
    except asyncio.CancelledError:
        return 0
    except OSError as error:
        if error.errno == errno.EADDRINUSE:  # taken since it was looked at
            raise PortInUse(error.strerror) from error
        raise


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
