"""Which members of C#, LINQ and RavenDB a definition may use, and how many arguments they take.

What each of them does is in the runtime, `javascript/linq.js`: methods in `$m`, properties in `$p`,
static functions in `$s`, functions of the index in `$f`.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Arity:
    """How many arguments there may be, the target not counted."""

    least: int
    most: int

    def __contains__(self, count: int) -> bool:
        return self.least <= count <= self.most


def _table(text: str) -> Mapping[str, Arity]:
    """From `Sum:0-1 Contains:1`."""
    table = {}
    for item in text.split():
        name, _, counts = item.partition(":")
        least, _, most = counts.partition("-")
        table[name] = Arity(int(least), int(most or least))
    return table


METHODS = _table(
    # of sequences
    "Select:1 SelectMany:1-2 Where:1 Any:0-1 All:1 Count:0-1 LongCount:0-1 First:0-1 "
    "FirstOrDefault:0-1 Last:0-1 LastOrDefault:0-1 Single:0-1 SingleOrDefault:0-1 Sum:0-1 "
    "Average:0-1 Min:0-1 Max:0-1 ToList:0 ToArray:0 ToHashSet:0 AsEnumerable:0 Distinct:0 "
    "Contains:1-2 OrderBy:1 OrderByDescending:1 ThenBy:1 ThenByDescending:1 Take:1 Skip:1 "
    "TakeWhile:1 SkipWhile:1 Concat:1 Union:1 Intersect:1 Except:1 Reverse:0 Zip:2 Aggregate:1-3 "
    "GroupBy:1-3 ToDictionary:1-2 DefaultIfEmpty:0-1 ElementAt:1 ElementAtOrDefault:1 Cast:0 "
    "OfType:0 Append:1 Prepend:1 Join:4 "
    # of strings
    "ToLower:0-1 ToLowerInvariant:0 ToUpper:0-1 ToUpperInvariant:0 Trim:0-8 TrimStart:0-8 "
    "TrimEnd:0-8 Substring:1-2 StartsWith:1-2 EndsWith:1-2 IndexOf:1-3 LastIndexOf:1-2 Replace:2 "
    "Split:0-8 PadLeft:1-2 PadRight:1-2 Insert:2 Remove:1-2 ToCharArray:0 "
    # of dates and durations
    "AddDays:1 AddHours:1 AddMinutes:1 AddSeconds:1 AddMilliseconds:1 AddMonths:1 AddYears:1 "
    "Add:1 Subtract:1 ToUniversalTime:0 "
    # of dictionaries and metadata
    "ContainsKey:1 Value:1 "
    # of anything
    "ToString:0-2 Equals:1-2 CompareTo:1 GetValueOrDefault:0-1 Boost:1 ParseInt:0-1 ParseLong:0-1 "
    "ParseShort:0-1 ParseDouble:0-1 ParseDecimal:0-1"
)

PROPERTIES = frozenset(
    "Id __document_id Length Count Year Month Day Hour Minute Second Millisecond DayOfWeek "
    "DayOfYear Date TimeOfDay Ticks TotalDays TotalHours TotalMinutes TotalSeconds "
    "TotalMilliseconds Days Hours Minutes Seconds Milliseconds Value HasValue Keys Values "
    "UtcDateTime".split()
)
NUMBERS = frozenset(  # properties that are whole numbers, if anything
    "Length Count Year Month Day Hour Minute Second Millisecond DayOfYear Ticks Days Hours Minutes "
    "Seconds Milliseconds".split()
)

# What an object has in JavaScript without having it in its JSON.
INHERITED = frozenset(
    "constructor hasOwnProperty isPrototypeOf propertyIsEnumerable toLocaleString toString valueOf "
    "__defineGetter__ __defineSetter__ __lookupGetter__ __lookupSetter__ __proto__".split()
)

# Functions of classes, by one name for each class.
CLASSES = {
    **{"string": "string", "String": "string", "char": "char", "Char": "char", "Math": "Math"},
    **{"int": "int", "Int32": "int", "short": "int", "Int16": "int", "byte": "int"},
    **{"long": "long", "Int64": "long", "double": "double", "Double": "double"},
    **{"float": "double", "Single": "double", "decimal": "decimal", "Decimal": "decimal"},
    **{"bool": "bool", "Boolean": "bool", "Convert": "Convert", "Enumerable": "Enumerable"},
    **{"DateTime": "DateTime", "DateTimeOffset": "DateTime", "TimeSpan": "TimeSpan"},
    **{"object": "object", "Object": "object"},
}
STATIC = {
    "string": _table(
        "Join:2-64 Format:1-64 IsNullOrEmpty:1 IsNullOrWhiteSpace:1 Concat:1-64 Compare:2-3 "
        "Equals:2-3"
    ),
    "char": _table("IsDigit:1 IsLetter:1 IsLetterOrDigit:1 IsWhiteSpace:1 ToUpper:1 ToLower:1"),
    "Math": _table(
        "Abs:1 Ceiling:1 Floor:1 Round:1-3 Truncate:1 Max:2 Min:2 Pow:2 Sqrt:1 Sign:1 Log:1-2 "
        "Log10:1 Exp:1 Sin:1 Cos:1 Tan:1 Asin:1 Acos:1 Atan:1 Atan2:2"
    ),
    "Convert": _table(
        "ToInt16:1 ToInt32:1 ToInt64:1 ToByte:1 ToDouble:1 ToSingle:1 ToDecimal:1 ToString:1 "
        "ToBoolean:1 ToDateTime:1"
    ),
    "int": _table("Parse:1"),
    "long": _table("Parse:1"),
    "double": _table("Parse:1-2"),
    "decimal": _table("Parse:1-2"),
    "bool": _table("Parse:1"),
    "DateTime": _table("Parse:1-2 ParseExact:3 Compare:2"),
    "TimeSpan": _table(
        "Parse:1 FromDays:1 FromHours:1 FromMinutes:1 FromSeconds:1 FromMilliseconds:1"
    ),
    "Enumerable": _table("Range:2 Repeat:2 Empty:0"),
    "object": _table("Equals:2"),
}
CONSTANTS = frozenset(
    "string.Empty int.MaxValue int.MinValue long.MaxValue long.MinValue double.MaxValue "
    "double.MinValue decimal.MaxValue decimal.MinValue decimal.Zero decimal.One Math.PI Math.E "
    "DateTime.MinValue DateTime.MaxValue TimeSpan.Zero".split()
)
CLOCKS = frozenset(("Now", "UtcNow", "Today"))

# Enumerations are the names of their members.
ENUMERATIONS = frozenset(
    "FieldIndexing FieldStorage FieldTermVector StringComparison StringSplitOptions DayOfWeek "
    "MidpointRounding DateTimeKind".split()
)

# Functions of the index itself: `this.LoadDocument(...)` or `LoadDocument(...)`.
FUNCTIONS = _table(
    "LoadDocument:1-2 CreateField:2-4 MetadataFor:1 AsMetadata:1 Id:1 AsJson:1 Recurse:2 "
    "ParseInt:1-2 ParseLong:1-2 ParseShort:1-2 ParseDouble:1-2 ParseDecimal:1-2 AsDateOnly:1 "
    "TryConvert:1"
)
MISSING = {
    **dict.fromkeys(
        ("CreateSpatialField", "SpatialGenerate", "SpatialIndex", "SpatialClustering"),
        "spatial fields are not supported",
    ),
    **dict.fromkeys(("LoadVector", "CreateVector"), "vectors are not supported"),
    **dict.fromkeys(
        ("LoadAttachment", "LoadAttachments", "AttachmentsFor"), "attachments are not supported"
    ),
    "LoadCompareExchangeValue": "compare-exchange values cannot be indexed",
    "CounterNamesFor": "counters are not supported",
    "TimeSeriesNamesFor": "time series are not supported",
    "WhereEntityIs": "WhereEntityIs is not supported: write a map for each collection",
    "IfEntityIs": "IfEntityIs is not supported: write a map for each collection",
}
