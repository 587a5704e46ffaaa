// What LINQ does, on arrays; a null is an empty sequence, an object one of its keys and values.
"use strict";
class $Group {
  constructor(key) {
    this.Key = key;
    this.values = [];
  }

  [Symbol.iterator]() {
    return this.values[Symbol.iterator]();
  }

  toJSON() {
    return this.values;
  }
}

function $list(of) {
  if (Array.isArray(of)) return of;
  if (of === null || of === undefined) return [];
  if (of instanceof $Group) return of.values;
  if (typeof of === "string") return [...of];
  if ($isObject(of)) return Object.entries(of).map(([Key, Value]) => ({ Key, Value }));
  throw new TypeError(`${JSON.stringify(of)} is no collection`);
}
const $each = $list;

// Equal for C#, equal as a text.
function $identity(value) {
  if (value === undefined) return "null";
  if (value instanceof $Exact) return String(value);
  return typeof value === "string" ? `"${value}` : JSON.stringify(value) ?? "null";
}

function $groups(rows) {
  const groups = new Map();
  for (const [key, element] of rows) {
    const identity = $identity(key);
    let group = groups.get(identity);
    if (group === undefined) groups.set(identity, (group = new $Group(key)));
    group.values.push(element);
  }
  return [...groups.values()];
}

function $compareKeys(left, right, descends) {
  for (let i = 0; i < descends.length; i++) {
    const order = $order(left[i], right[i]);
    if (order !== 0) return descends[i] ? -order : order;
  }
  return 0;
}

function $ordered(rows, descends) {
  rows.sort(([left], [right]) => $compareKeys(left, right, descends));
  return rows.map(([, row]) => row);
}

// Arrays that were ordered know by what, for ThenBy.
const $ORDER = Symbol("order");

function $orderBy(of, key, descends, before) {
  const keys = [...(before?.keys ?? []), [key, descends]];
  const rows = $list(of).map((item) => [keys.map(([by]) => by(item)), item]);
  const result = $ordered(rows, keys.map(([, falls]) => falls));
  Object.defineProperty(result, $ORDER, { value: { keys }, enumerable: false });
  return result;
}

function $distinct(items) {
  const found = new Map();
  for (const item of items) {
    const identity = $identity(item);
    if (!found.has(identity)) found.set(identity, item);
  }
  return [...found.values()];
}

const $same = (value) => value;
const $picked = (of, test) => (test === undefined ? $list(of) : $list(of).filter((item) => test(item) === true));
const $present = (of, by = $same) => $list(of).map(by).filter((value) => value !== null && value !== undefined && !Number.isNaN(value));
const $isText = (value) => typeof value === "string";

// Null as the target is null as the result, for everything but sequences.
const $onText = (work) => (of, ...given) =>
  of === null || of === undefined ? of : work($isText(of) ? of : $string(of), ...given);
const $onDate = (work) => (of, ...given) => {
  if (of === null || of === undefined) return of;
  const moment = $moment(of);
  if (moment === undefined) throw new TypeError(`'${of}' is no date`);
  return work(moment, ...given);
};
const $ignoresCase = (how) => $isText(how) && how.endsWith("IgnoreCase");
const $trimmed = (text, signs, start, end) => {
  const cut = signs.flat().join("");
  const isCut = (sign) => (cut === "" ? sign.trim() === "" : cut.includes(sign));
  let [from, to] = [0, text.length];
  while (start && from < to && isCut(text[from])) from++;
  while (end && to > from && isCut(text[to - 1])) to--;
  return text.slice(from, to);
};
const $inside = (ok, what) => {
  if (!ok) throw new RangeError(`${what} is out of range`);
};

function $total(of, by) {
  let total = 0;
  for (const value of $present(of, by)) total += $number(value);
  return total;
}

function $parsed(value, otherwise, isWhole) {
  const number = $isText(value) && value.trim() === "" ? NaN : Number(value ?? NaN);
  return isNaN(number) || (isWhole && !Number.isInteger(number)) ? otherwise : number;
}

const $sequenceMethods = {
  Select: (of, by) => $list(of).map((item, at) => by(item, at)),
  Where: (of, test) => $list(of).filter((item, at) => test(item, at) === true),
  SelectMany: (of, by, result) =>
    $list(of).flatMap((item, at) => {
      const inner = $list(by(item, at));
      return result === undefined ? inner : inner.map((one) => result(item, one));
    }),
  Any: (of, test) => (test === undefined ? $list(of).length > 0 : $list(of).some((item) => test(item) === true)),
  All: (of, test) => $list(of).every((item) => test(item) === true),
  Count: (of, test) => $picked(of, test).length,
  LongCount: (of, test) => $picked(of, test).length,
  First: (of, test) => $found($picked(of, test)[0], $picked(of, test).length > 0),
  FirstOrDefault: (of, test) => $picked(of, test)[0],
  Last: (of, test) => $found($picked(of, test).at(-1), $picked(of, test).length > 0),
  LastOrDefault: (of, test) => $picked(of, test).at(-1),
  Single: (of, test) => $found($picked(of, test)[0], $picked(of, test).length === 1),
  SingleOrDefault: (of, test) => $found($picked(of, test)[0], $picked(of, test).length <= 1),
  Sum: (of, by) => $digits($total(of, by)),
  SumDouble: $total,
  Average: (of, by) => $average(of, by, (total, count) => $quotient($digits(total), count)),
  AverageDouble: (of, by) => $average(of, by, (total, count) => total / count),
  Min: (of, by) => $present(of, by).reduce((best, one) => (best === undefined || $order(one, best) < 0 ? one : best), undefined),
  Max: (of, by) => $present(of, by).reduce((best, one) => (best === undefined || $order(one, best) > 0 ? one : best), undefined),
  ToList: $list,
  ToArray: $list,
  AsEnumerable: $list,
  ToHashSet: (of) => $distinct($list(of)),
  Distinct: (of) => $distinct($list(of)),
  OrderBy: (of, key) => $orderBy(of, key, false),
  OrderByDescending: (of, key) => $orderBy(of, key, true),
  ThenBy: (of, key) => $orderBy(of, key, false, of?.[$ORDER]),
  ThenByDescending: (of, key) => $orderBy(of, key, true, of?.[$ORDER]),
  Take: (of, count) => $list(of).slice(0, Math.max(count, 0)),
  Skip: (of, count) => $list(of).slice(Math.max(count, 0)),
  TakeWhile: (of, test) => {
    const items = $list(of);
    const end = items.findIndex((item) => test(item) !== true);
    return end < 0 ? items : items.slice(0, end);
  },
  SkipWhile: (of, test) => {
    const items = $list(of);
    const start = items.findIndex((item) => test(item) !== true);
    return start < 0 ? [] : items.slice(start);
  },
  Union: (of, other) => $distinct([...$list(of), ...$list(other)]),
  Intersect: (of, other) => {
    const kept = new Set($list(other).map($identity));
    return $distinct($list(of).filter((item) => kept.has($identity(item))));
  },
  Except: (of, other) => {
    const gone = new Set($list(other).map($identity));
    return $distinct($list(of).filter((item) => !gone.has($identity(item))));
  },
  Reverse: (of) => [...$list(of)].reverse(),
  Zip: (of, other, by) => {
    const others = $list(other);
    return $list(of).slice(0, others.length).map((item, at) => by(item, others[at]));
  },
  Aggregate: (of, first, by, result = $same) => {
    const items = $list(of);
    if (by === undefined) return $found(items, items.length > 0).reduce((total, item) => first(total, item));
    return result(items.reduce((total, item) => by(total, item), first));
  },
  GroupBy: (of, key, element = $same, result = undefined) => {
    const groups = $groups($list(of).map((item) => [key(item), element(item)]));
    return result === undefined ? groups : groups.map((group) => result(group.Key, group));
  },
  ToDictionary: (of, key, element = (item) => item?.Value) =>
    Object.fromEntries($list(of).map((item) => [$key(key(item)), element(item)])),
  DefaultIfEmpty: (of, value = null) => ($list(of).length > 0 ? $list(of) : [value]),
  ElementAt: (of, at) => $found($list(of)[at], at >= 0 && at < $list(of).length),
  ElementAtOrDefault: (of, at) => $list(of)[at],
  Cast: $list,
  OfType: $list,
  Append: (of, item) => [...$list(of), item],
  Prepend: (of, item) => [item, ...$list(of)],
  Join: (of, inner, outerKey, innerKey, result) => $joined($list(of), $list(inner), outerKey, innerKey, result),
};

function $found(value, isThere) {
  if (!isThere) throw new RangeError("Sequence contains no element, or more than one");
  return value;
}

function $average(of, by, divide) {
  const values = $present(of, by);
  return values.length === 0 ? undefined : divide($total(values), values.length);
}

function $joined(outer, inner, outerKey, innerKey, result) {
  const groups = new Map($groups(inner.map((item) => [innerKey(item), item])).map((group) => [$identity(group.Key), group]));
  return outer.flatMap((item) => (groups.get($identity(outerKey(item)))?.values ?? []).map((one) => result(item, one)));
}

const $textMethods = {
  ToLower: (text) => text.toLowerCase(),
  ToLowerInvariant: (text) => text.toLowerCase(),
  ToUpper: (text) => text.toUpperCase(),
  ToUpperInvariant: (text) => text.toUpperCase(),
  Trim: (text, ...signs) => $trimmed(text, signs, true, true),
  TrimStart: (text, ...signs) => $trimmed(text, signs, true, false),
  TrimEnd: (text, ...signs) => $trimmed(text, signs, false, true),
  Substring: (text, start, length = text.length - start) => {
    $inside(start >= 0 && length >= 0 && start + length <= text.length, "Substring");
    return text.slice(start, start + length);
  },
  StartsWith: (text, other, how) => $folded(text, how).startsWith($folded(other ?? "", how)),
  EndsWith: (text, other, how) => $folded(text, how).endsWith($folded(other ?? "", how)),
  IndexOf: (text, other, from = 0) => text.indexOf(other, typeof from === "number" ? from : 0),
  LastIndexOf: (text, other) => text.lastIndexOf(other),
  Replace: (text, old, fresh) => text.replaceAll(old, fresh ?? ""),
  Split: (text, ...by) => $split(text, by),
  PadLeft: (text, length, sign = " ") => text.padStart(length, sign),
  PadRight: (text, length, sign = " ") => text.padEnd(length, sign),
  Insert: (text, at, other) => text.slice(0, at) + other + text.slice(at),
  Remove: (text, start, length = text.length) => text.slice(0, start) + text.slice(start + length),
  ToCharArray: (text) => [...text],
};
const $folded = (text, how) => ($ignoresCase(how) ? $string(text).toLowerCase() : $string(text));

function $split(text, given) {
  const dropsEmpty = given.includes("RemoveEmptyEntries");
  const count = given.find((one) => typeof one === "number");
  const signs = given.flat().filter((one) => $isText(one) && one !== "RemoveEmptyEntries" && one !== "None");
  const parts = [];
  let rest = text;
  while (count === undefined || parts.length < count - 1) {
    const found = (signs.length > 0 ? signs : [" ", "\t", "\n"])
      .filter((sign) => sign !== "")
      .map((sign) => [rest.indexOf(sign), sign.length])
      .filter(([at]) => at >= 0)
      .sort(([one], [other]) => one - other)[0];
    if (found === undefined) break;
    parts.push(rest.slice(0, found[0]));
    rest = rest.slice(found[0] + found[1]);
  }
  parts.push(rest);
  return dropsEmpty ? parts.filter((part) => part !== "") : parts;
}

const $dateMethods = {
  AddDays: (moment, count) => moment.plus($number(count) * $MILLIS.Days),
  AddHours: (moment, count) => moment.plus($number(count) * $MILLIS.Hours),
  AddMinutes: (moment, count) => moment.plus($number(count) * $MILLIS.Minutes),
  AddSeconds: (moment, count) => moment.plus($number(count) * $MILLIS.Seconds),
  AddMilliseconds: (moment, count) => moment.plus($number(count)),
  AddMonths: (moment, count) => moment.months($number(count)),
  AddYears: (moment, count) => moment.months($number(count) * 12),
  ToUniversalTime: (moment) => new $Moment(moment.utcMillis, moment.ticks, "Z"),
};

const $m = {
  ...$sequenceMethods,
  ...Object.fromEntries(Object.entries($textMethods).map(([name, work]) => [name, $onText(work)])),
  ...Object.fromEntries(Object.entries($dateMethods).map(([name, work]) => [name, $onDate(work)])),
  // What is there for more than one kind of value.
  Contains: (of, item, how) =>
    $isText(of) ? $folded(of, how).includes($folded(item ?? "", how)) : $list(of).some((one) => $eq(one, item)),
  Concat: (of, other) => [...$list(of), ...$list(other)],
  Add: (of, span) => $add(of, span),
  Subtract: (of, other) => $sub(of, other),
  ContainsKey: (of, key) => of !== null && of !== undefined && $hasOwn(of, $key(key)),
  Value: (of, key) => $at(of, key),
  ToString: (of, format) =>
    of === null || of === undefined ? of : $isText(format) ? $text(of, format) : $text(of, ""),
  Equals: (of, other, how) => ($ignoresCase(how) ? $folded(of, how) === $folded(other, how) : $eq(of, other)),
  CompareTo: (of, other) => Math.sign($order(of, other)),
  GetValueOrDefault: (of, value = 0) => of ?? value,
  ParseInt: (of, otherwise = 0) => $parsed(of, otherwise, true),
  ParseLong: (of, otherwise = 0) => $parsed(of, otherwise, true),
  ParseShort: (of, otherwise = 0) => $parsed(of, otherwise, true),
  ParseDouble: (of, otherwise = 0) => $parsed(of, otherwise, false),
  ParseDecimal: (of, otherwise = 0) => $parsed(of, otherwise, false),
};
