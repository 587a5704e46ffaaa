"""Why a patch came to nothing; all are definite, nothing was written.

    PatchFailed
    ├── JavaScriptFailed     a script threw
    │   └── JavaScriptOverLimit   ... or went over a limit
    ├── JavaScriptNotParsed  a script is no JavaScript
    ├── OperationsFailed     a JSON patch does not fit its document
    └── ContentRefused       what came of a patch cannot be kept as a document
"""


class PatchFailed(Exception):
    """A patch came to nothing; the message names the command."""


class JavaScriptFailed(PatchFailed):
    """A script threw, or went over a limit."""


class JavaScriptOverLimit(JavaScriptFailed):
    """A script went over a limit: told at once, for evaluating it again would take as much."""


class JavaScriptNotParsed(PatchFailed):
    """A script is no JavaScript."""


class OperationsFailed(PatchFailed):
    """A JSON patch makes no sense, or not on its document."""


class ContentRefused(PatchFailed):
    """What came of a patch cannot be kept as a document."""
