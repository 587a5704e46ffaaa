// The operators of C# on what JSON has, with nulls and missing members.
"use strict";
const $ID = Symbol("id");
const $METADATA = Symbol("metadata");
const $hasOwn = (value, name) => Object.prototype.hasOwnProperty.call(value, name);

// Numbers that JavaScript would write or divide differently keep their text: whole ones that no double
// holds, and, where it matters, those that are written as 3.0.
class $Exact extends Number {
  constructor(text) {
    super(text);
    this.text = text;
  }

  toJSON() {
    return JSON.rawJSON(this.text);
  }
}

class $Whole extends $Exact {
  toString() {
    return this.text;
  }
}

class $Real extends $Exact {}

function $whole(text) {
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : new $Whole(text);
}

function $revive(key, value, context) {
  if (typeof value !== "number" || !Number.isInteger(value) || context.source === undefined) return value;
  if (!/^-?[0-9]+$/.test(context.source)) return $DIVIDES ? new $Real(context.source) : value;
  return Number.isSafeInteger(value) ? value : new $Whole(context.source);
}

const $isObject = (value) =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof $Moment) &&
  !(value instanceof $Span) && !(value instanceof $Exact) && !(value instanceof $Group);

// -- members

function $get(of, name) {
  if (of === null || of === undefined) return of;
  return typeof of === "object" ? of[name] : undefined;
}

function $own(of, name) {
  if (of === null || of === undefined) return of;
  return typeof of === "object" && $hasOwn(of, name) ? of[name] : undefined;
}

function $at(of, key) {
  if (of === null || of === undefined) return of;
  if (of instanceof $Exact || typeof of === "number") return undefined;
  if (typeof of === "string" || Array.isArray(of)) return of[key];
  if (of instanceof $Group) return of.values[key];
  if (key === "@metadata") return $metadata(of);
  if (of[$METADATA] === true) return $metadataValue(of, key);
  if ((key === "Id" || key === "__document_id" || key === "@id") && !$hasOwn(of, key)) return of[$ID];
  return $hasOwn(of, $key(key)) ? of[$key(key)] : undefined;
}

function $key(value) {
  return value === null || value === undefined ? "" : $string(value);
}

function $metadata(of) {
  if (of === null || of === undefined) return of;
  const metadata = of["@metadata"] ?? {};
  metadata[$METADATA] = true;
  return metadata;
}

// Definitions of former versions say 'Last-Modified' for '@last-modified'.
function $metadataValue(of, key) {
  const name = $key(key);
  if ($hasOwn(of, name)) return of[name];
  const known = { "Last-Modified": "@last-modified", "Raven-Entity-Name": "@collection", "@Id": "@id" }[name];
  return known === undefined ? undefined : of[known];
}

// -- texts

function $string(value) {
  if (value === true) return "True";
  if (value === false) return "False";
  if (Array.isArray(value) || $isObject(value)) return JSON.stringify(value);
  return String(value);
}

function $text(value, format) {
  if (value === null || value === undefined) return "";
  if (format === "") return value instanceof $Moment ? $formatDate(value, "") : $string(value);
  const moment = typeof value === "number" ? undefined : $moment(value);
  if (moment !== undefined) return $formatDate(moment, format);
  if (typeof value !== "number" && !(value instanceof $Exact)) return $string(value);
  return $formatNumber(+value, format);
}

function $formatNumber(value, format) {
  const standard = /^([DFNXGPCdfnxgpc])(\d{0,2})$/.exec(format);
  if (standard !== null) {
    const digits = standard[2] === "" ? undefined : +standard[2];
    const kind = standard[1].toUpperCase();
    const sign = value < 0 ? "-" : "";
    if (kind === "D") return sign + $pad(Math.abs(Math.trunc(value)), digits ?? 1);
    if (kind === "F") return value.toFixed(digits ?? 2);
    if (kind === "N") return $grouped(value.toFixed(digits ?? 2));
    if (kind === "P") return `${$grouped((value * 100).toFixed(digits ?? 2))} %`;
    if (kind === "X") return $pad(Math.trunc(value).toString(16).toUpperCase(), digits ?? 1);
    if (kind === "G") return String(value);
  }
  const custom = /^([#,0]*)(?:\.([0#]*))?$/.exec(format);
  if (custom === null) throw new TypeError(`the format '${format}' is not supported`);
  const decimals = custom[2] ?? "";
  const optional = decimals.length - decimals.replace(/#+$/, "").length;
  let [whole, fraction = ""] = Math.abs(value).toFixed(decimals.length).split(".");
  for (let i = 0; i < optional && fraction.endsWith("0"); i++) fraction = fraction.slice(0, -1);
  whole = $pad(whole === "0" ? "" : whole, custom[1].replace(/[^0]/g, "").length);
  const text = (custom[1].includes(",") ? $grouped(whole) : whole) + (fraction === "" ? "" : `.${fraction}`);
  return (value < 0 ? "-" : "") + text;
}

const $grouped = (text) => text.replace(/\B(?=(\d{3})+(?!\d))/g, ",");
const $join = (left, right) => $text(left, "") + $text(right, "");

// -- comparisons

function $eq(left, right) {
  if (left === right) return true;
  if (left === null || left === undefined) return right === null || right === undefined;
  if (right === null || right === undefined) return false;
  if (typeof left !== "object" && typeof right !== "object") return false;
  if (left instanceof $Exact || right instanceof $Exact) return String(left) === String(right);
  if (left instanceof $Moment || right instanceof $Moment) return $compareOr(left, right, 1) === 0;
  if (left instanceof $Span || right instanceof $Span) return $compareOr(left, right, 1) === 0;
  return JSON.stringify(left) === JSON.stringify(right);
}

function $compareOr(left, right, otherwise) {
  if (left === null || left === undefined || right === null || right === undefined) return otherwise;
  if (typeof left === "number" && typeof right === "number") return left - right;
  if (left instanceof $Whole && right instanceof $Whole) {
    const difference = BigInt(left.text) - BigInt(right.text);
    return difference < 0n ? -1 : difference > 0n ? 1 : 0;
  }
  if (left instanceof $Moment || right instanceof $Moment) {
    const [one, other] = [$moment(left), $moment(right)];
    if (one === undefined || other === undefined) return otherwise;
    return one.utcMillis - other.utcMillis || one.ticks - other.ticks;
  }
  if (left instanceof $Span || right instanceof $Span) {
    const [one, other] = [$spanOf(left), $spanOf(right)];
    return one === undefined || other === undefined ? otherwise : one.millis - other.millis;
  }
  if (typeof left === "string" && typeof right === "string") return left < right ? -1 : left > right ? 1 : 0;
  return +left - +right;
}

const $lt = (left, right) => $compareOr(left, right, NaN) < 0;
const $le = (left, right) => $compareOr(left, right, NaN) <= 0;
const $gt = (left, right) => $compareOr(left, right, NaN) > 0;
const $ge = (left, right) => $compareOr(left, right, NaN) >= 0;

// Nulls first, then what compares.
function $order(left, right) {
  const [leftIsNull, rightIsNull] = [left === null || left === undefined, right === null || right === undefined];
  if (leftIsNull || rightIsNull) return (rightIsNull ? 1 : 0) - (leftIsNull ? 1 : 0);
  return $compareOr(left, right, 0) || 0;
}

// -- arithmetic: with a null it is null

const $absent = (left, right) =>
  left === null || left === undefined ? left : right === null || right === undefined ? right : 0;

function $number(value) {
  if (typeof value === "number") return value;
  if (value instanceof $Exact) return +value;
  if (typeof value === "string" && value.trim() !== "" && !isNaN(value)) return +value;
  throw new TypeError(`${JSON.stringify(value)} is no number`);
}

function $add(left, right) {
  if (typeof left === "number" && typeof right === "number") return left + right;
  if (left instanceof $Moment || right instanceof $Moment) return $date(left).plus($span(right)?.millis ?? 0);
  if (left instanceof $Span && $spanOf(right)) return new $Span(left.millis + $spanOf(right).millis);
  if (typeof left === "string" || typeof right === "string") return $join(left, right);
  return $absent(left, right) !== 0 ? $absent(left, right) : $number(left) + $number(right);
}

function $sub(left, right) {
  if (typeof left === "number" && typeof right === "number") return left - right;
  if ($absent(left, right) !== 0) return $absent(left, right);
  const [one, other] = [$moment(left), $moment(right)];
  if (one !== undefined && other !== undefined) {
    return new $Span(one.utcMillis - other.utcMillis + (one.ticks - other.ticks) / 10000);
  }
  if (one !== undefined) return one.plus(-$span(right).millis);
  if (left instanceof $Span) return new $Span(left.millis - $span(right).millis);
  return $number(left) - $number(right);
}

const $mul = (left, right) => ($absent(left, right) !== 0 ? $absent(left, right) : $number(left) * $number(right));
const $neg = (value) => ($absent(value, 0) !== 0 ? value : value instanceof $Span ? new $Span(-value.millis) : -$number(value));

function $mod(left, right) {
  if ($absent(left, right) !== 0) return $absent(left, right);
  if ($number(right) === 0) throw new RangeError("Attempted to divide by zero.");
  return $number(left) % $number(right);
}

function $div(left, right) {
  if ($absent(left, right) !== 0) return $absent(left, right);
  const [one, other] = [$number(left), $number(right)];
  const isReal = left instanceof $Real || right instanceof $Real;
  if (isReal || !Number.isInteger(one) || !Number.isInteger(other)) return one / other;
  if (other === 0) throw new RangeError("Attempted to divide by zero.");
  return Math.trunc(one / other);
}

function $divDouble(left, right) {
  return $absent(left, right) !== 0 ? $absent(left, right) : $number(left) / $number(right);
}

function $divDecimal(left, right) {
  if ($absent(left, right) !== 0) return $absent(left, right);
  if ($number(right) === 0) throw new RangeError("Attempted to divide by zero.");
  return $quotient($number(left), $number(right));
}

// A decimal that ends, ends: 0.3 / 3 is 0.1.
function $quotient(left, right) {
  const exact = left / right;
  const short = Number(exact.toPrecision(15));
  return String(short).length < 15 ? short : exact;
}

function $bits(sign, left, right) {
  if (typeof left === "boolean" || typeof right === "boolean") {
    const [one, other] = [left === true, right === true];
    return sign === "&" ? one && other : sign === "|" ? one || other : one !== other;
  }
  if ($absent(left, right) !== 0) return $absent(left, right);
  const [one, other] = [BigInt($number(left)), BigInt($number(right))];
  return Number(sign === "&" ? one & other : sign === "|" ? one | other : one ^ other);
}

// Decimals add up without the last digits of doubles.
function $digits(value) {
  return typeof value !== "number" || Number.isInteger(value) ? value : Number(value.toPrecision(15));
}

// -- casts

function $int(value, isNullable) {
  if (value === null || value === undefined) return isNullable ? value : 0;
  if (value instanceof $Whole) return value;
  if (typeof value === "boolean") return value ? 1 : 0;
  const weekday = $WEEKDAYS.indexOf(value);
  return weekday >= 0 ? weekday : Math.trunc($number(value));
}

const $real = (value, isNullable) =>
  value === null || value === undefined ? (isNullable ? value : NaN) : $number(value);
const $decimal = (value, isNullable) =>
  value === null || value === undefined ? (isNullable ? value : 0) : value instanceof $Whole ? value : $number(value);

function $is(value, type) {
  switch (type.replace("System.", "").toLowerCase()) {
    case "string":
      return typeof value === "string";
    case "bool":
    case "boolean":
      return typeof value === "boolean";
    case "int": case "long": case "int32": case "int64":
      return Number.isInteger(value) || value instanceof $Whole;
    case "double": case "decimal": case "float": case "single":
      return (typeof value === "number" && !Number.isInteger(value)) || value instanceof $Real;
    case "datetime": case "datetimeoffset":
      return $moment(value) !== undefined;
    case "object":
      return value !== null && value !== undefined;
    default:
      return Array.isArray(value) || value instanceof $Group;
  }
}
