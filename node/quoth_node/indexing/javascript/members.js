// Properties, functions of classes, and functions of the index.
"use strict";

// A document's own member of that name comes first.
function $property(name, work) {
  return (of) => {
    if (of === null || of === undefined) return of;
    return $isObject(of) && $hasOwn(of, name) ? of[name] : work(of);
  };
}

const $size = (of) => ($isText(of) ? of.length : $isObject(of) ? Object.keys(of).length : $list(of).length);
const $plain = {
  Id: (of) => of[$ID],
  __document_id: (of) => of[$ID],
  Length: (of) => ($isObject(of) ? undefined : $size(of)),
  Count: $size,
  Value: (of) => ($isObject(of) ? undefined : of),
  HasValue: () => true,
  Keys: (of) => ($isObject(of) ? Object.keys(of) : undefined),
  Values: (of) => ($isObject(of) ? Object.values(of) : undefined),
};

const $p = {};
for (const name of Object.keys($plain)) $p[name] = $property(name, $plain[name]);
for (const name of new Set([...Object.keys($PARTS), ...Object.keys($SPAN_PARTS)])) {
  $p[name] = $property(name, (of) => {
    const moment = name in $PARTS ? $moment(of) : undefined;
    if (moment !== undefined) return $PARTS[name](moment);
    const span = name in $SPAN_PARTS ? $spanOf(of) : undefined;
    return span === undefined ? undefined : $SPAN_PARTS[name](span);
  });
}
$p.HasValue = (of) => of !== null && of !== undefined && ($isObject(of) && $hasOwn(of, "HasValue") ? of.HasValue : true);

const $c = {
  "string.Empty": "",
  "int.MaxValue": 2147483647,
  "int.MinValue": -2147483648,
  "long.MaxValue": $whole("9223372036854775807"),
  "long.MinValue": $whole("-9223372036854775808"),
  "double.MaxValue": Number.MAX_VALUE,
  "double.MinValue": -Number.MAX_VALUE,
  "decimal.MaxValue": 79228162514264337593543950335,
  "decimal.MinValue": -79228162514264337593543950335,
  "decimal.Zero": 0,
  "decimal.One": 1,
  "Math.PI": Math.PI,
  "Math.E": Math.E,
  "DateTime.MinValue": new $Moment(-62135596800000),
  "DateTime.MaxValue": new $Moment(253402300799999, 9999),
  "TimeSpan.Zero": new $Span(0),
};

const $nullable = (work) => (value, ...given) => (value === null || value === undefined ? value : work($number(value), ...given));

// Half to even, as C# rounds; the last digits of doubles are no reason to round up.
function $round(value, digits = 0, how) {
  const places = typeof digits === "number" ? digits : 0;
  const scaled = $digits(value * 10 ** places);
  const floor = Math.floor(scaled);
  const isHalf = scaled - floor === 0.5;
  const awayFromZero = how === "AwayFromZero" || digits === "AwayFromZero";
  const half = awayFromZero ? (value < 0 ? floor : floor + 1) : floor % 2 === 0 ? floor : floor + 1;
  return $digits((isHalf ? half : Math.round(scaled)) / 10 ** places);
}

function $parse(work) {
  return (value) => {
    const parsed = $isText(value) ? work(value.trim()) : value;
    if (parsed === undefined || parsed === null || Number.isNaN(parsed)) throw new TypeError(`'${value}' cannot be parsed`);
    return parsed;
  };
}
const $parseWhole = $parse((text) => (/^[+-]?[0-9]+$/.test(text) ? $whole(text) : undefined));
const $parseReal = $parse((text) => (text === "" ? undefined : Number(text.replace(/,/g, ""))));
const $converted = (work, nothing) => (value) =>
  value === null || value === undefined ? nothing : typeof value === "boolean" ? Number(value) : work(value);
const $toWhole = $converted((value) => ($isText(value) ? $parseWhole(value) : $round($number(value))), 0);
const $toReal = $converted((value) => ($isText(value) ? $parseReal(value) : $number(value)), 0);
const $isSign = (pattern) => (text, at) => pattern.test($string(at === undefined ? text : text[at]));

const $s = {
  "string.Join": (by, ...items) => (items.length === 1 ? $list(items[0]) : items).map((item) => $text(item, "")).join(by ?? ""),
  "string.Format": (format, ...values) =>
    $string(format).replace(/\{\{|\}\}|\{(\d+)(?:,-?\d+)?(?::([^}]*))?\}/g, (found, at, how) =>
      at === undefined ? found[0] : $text(values[at], how ?? ""),
    ),
  "string.IsNullOrEmpty": (text) => text === null || text === undefined || text === "",
  "string.IsNullOrWhiteSpace": (text) => text === null || text === undefined || $string(text).trim() === "",
  "string.Concat": (...items) => (items.length === 1 ? $list(items[0]) : items).map((item) => $text(item, "")).join(""),
  "string.Compare": (one, other, how) =>
    Math.sign($order($folded(one ?? "", how === true ? "IgnoreCase" : how), $folded(other ?? "", how === true ? "IgnoreCase" : how))),
  "string.Equals": (one, other, how) => $m.Equals(one, other, how),
  "object.Equals": (one, other) => $eq(one, other),
  "char.IsDigit": $isSign(/^\p{Nd}/u),
  "char.IsLetter": $isSign(/^\p{L}/u),
  "char.IsLetterOrDigit": $isSign(/^[\p{L}\p{Nd}]/u),
  "char.IsWhiteSpace": $isSign(/^\s/u),
  "char.ToUpper": (sign) => $m.ToUpper(sign),
  "char.ToLower": (sign) => $m.ToLower(sign),
  "Math.Ceiling": $nullable(Math.ceil),
  "Math.Truncate": $nullable(Math.trunc),
  "Math.Round": $nullable($round),
  "Math.Max": (one, other) => ($order(one, other) >= 0 ? one : other),
  "Math.Min": (one, other) => ($order(one, other) <= 0 ? one : other),
  "Math.Pow": (value, power) => $nullable(Math.pow)(value, $number(power)),
  "Math.Log": (value, base) => (base === undefined ? $nullable(Math.log)(value) : Math.log($number(value)) / Math.log($number(base))),
  "Math.Atan2": (y, x) => $nullable(Math.atan2)(y, $number(x)),
  "Convert.ToString": (value) => (value === null || value === undefined ? "" : $text(value, "")),
  "Convert.ToBoolean": (value) => value === true || ($isText(value) ? value.toLowerCase() === "true" : value !== false && $toReal(value) !== 0),
  "Convert.ToDateTime": $date,
  "bool.Parse": $parse((text) => ({ true: true, false: false })[text.toLowerCase()]),
  "int.Parse": $parseWhole,
  "long.Parse": $parseWhole,
  "double.Parse": $parseReal,
  "decimal.Parse": $parseReal,
  "DateTime.Parse": $date,
  "DateTime.ParseExact": $date,
  "DateTime.Compare": (one, other) => Math.sign($order($date(one), $date(other))),
  "TimeSpan.Parse": $span,
  "Enumerable.Range": (start, count) => Array.from({ length: count }, (_, at) => start + at),
  "Enumerable.Repeat": (value, count) => Array.from({ length: count }, () => value),
  "Enumerable.Empty": () => [],
};
for (const name of ["Abs", "Floor", "Sqrt", "Sign", "Log10", "Exp", "Sin", "Cos", "Tan", "Asin", "Acos", "Atan"]) {
  $s[`Math.${name}`] = $nullable(Math[name.toLowerCase()]);
}
for (const name of ["ToInt16", "ToInt32", "ToInt64", "ToByte"]) $s[`Convert.${name}`] = $toWhole;
for (const name of ["ToDouble", "ToSingle", "ToDecimal"]) $s[`Convert.${name}`] = $toReal;
for (const unit of Object.keys($MILLIS)) {
  $s[`TimeSpan.From${unit}`] = (count) => new $Span($number(count) * $MILLIS[unit]);
}

const RECURSION_MAX = 10000;

const $f = {
  LoadDocument: (id, collection) => $host.load(id, collection, undefined),
  CreateField: (name, value, options, isAnalyzed) => new $Field($string(name), value, $fieldOptions(options, isAnalyzed)),
  MetadataFor: $metadata,
  AsMetadata: $metadata,
  Id: (of) => $p.Id(of),
  AsJson: (of) => of,
  AsDateOnly: (of) => $p.Date(of),
  Recurse: (of, by) => {
    const found = [];
    const waiting = [of];
    while (waiting.length > 0) {
      const item = waiting.shift();
      if (item === null || item === undefined) continue;
      if (found.push(item) > RECURSION_MAX) throw new RangeError(`Recurse found over ${RECURSION_MAX} items`);
      const below = by(item);
      waiting.unshift(...(Array.isArray(below) ? below : [below]));
    }
    return found;
  },
  TryConvert: (value, type) => {
    const isWhole = ["int", "long", "short", "byte", "Int32", "Int64"].includes(type);
    return $parsed(value, null, isWhole);
  },
};
for (const name of ["ParseInt", "ParseLong", "ParseShort", "ParseDouble", "ParseDecimal"]) $f[name] = $m[name];

// `CreateFieldOptions`, or the former two booleans: whether it is stored, whether it is analyzed.
function $fieldOptions(options, isAnalyzed) {
  if (typeof options !== "boolean") return options ?? {};
  const indexing = isAnalyzed === undefined ? undefined : isAnalyzed ? "Search" : "Exact";
  return { Storage: options ? "Yes" : "No", Indexing: indexing };
}
