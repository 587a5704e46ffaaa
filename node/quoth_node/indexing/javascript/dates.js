// Dates and durations as C# has them. In documents they are strings; they become values when a
// definition asks for a part of one, and strings again where they are put out.
"use strict";
const $DATE = /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,7})\d*)?)?(Z|[+-]\d\d:\d\d)?)?$/;
const $SPAN = /^(-)?(?:(\d+)\.)?(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,7}))?)?$/;
const $WEEKDAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const $MONTHS = [
  ...["January", "February", "March", "April", "May", "June", "July"],
  ...["August", "September", "October", "November", "December"],
];
const $MILLIS = { Days: 86400000, Hours: 3600000, Minutes: 60000, Seconds: 1000, Milliseconds: 1 };
const $pad = (value, length) => String(value).padStart(length, "0");

// A point in time: milliseconds of its own clock since 1970, and ticks of 100 ns beyond them.
class $Moment {
  constructor(millis, ticks = 0, zone = "") {
    if (!(millis >= -62135596800000 && millis < 253402300800000)) throw new RangeError("a date is out of range");
    this.millis = millis;
    this.ticks = ticks;
    this.zone = zone; // '', 'Z' or '+02:00'
  }

  get clock() {
    return new Date(this.millis);
  }

  get utcMillis() {
    if (this.zone.length < 6) return this.millis;
    const minutes = +this.zone.slice(1, 3) * 60 + +this.zone.slice(4, 6);
    return this.millis - (this.zone[0] === "-" ? -minutes : minutes) * 60000;
  }

  plus(millis) {
    const exact = this.ticks + millis * 10000;
    const whole = Math.floor(exact / 10000);
    return new $Moment(this.millis + whole, Math.round(exact - whole * 10000), this.zone);
  }

  months(count) {
    const clock = this.clock;
    const day = clock.getUTCDate();
    clock.setUTCDate(1);
    clock.setUTCMonth(clock.getUTCMonth() + count);
    const last = new Date(Date.UTC(clock.getUTCFullYear(), clock.getUTCMonth() + 1, 0)).getUTCDate();
    clock.setUTCDate(Math.min(day, last));
    return new $Moment(clock.getTime(), this.ticks, this.zone);
  }

  toString() {
    const clock = this.clock;
    const date = `${$pad(clock.getUTCFullYear(), 4)}-${$pad(clock.getUTCMonth() + 1, 2)}-${$pad(clock.getUTCDate(), 2)}`;
    const time = `${$pad(clock.getUTCHours(), 2)}:${$pad(clock.getUTCMinutes(), 2)}:${$pad(clock.getUTCSeconds(), 2)}`;
    return `${date}T${time}.${$pad(clock.getUTCMilliseconds(), 3)}${$pad(this.ticks, 4)}${this.zone}`;
  }

  toJSON() {
    return this.toString();
  }
}

class $Span {
  constructor(millis) {
    this.millis = millis;
  }

  toString() {
    const size = Math.abs(this.millis);
    const days = Math.floor(size / 86400000);
    const part = (unit, of) => $pad(Math.floor(size / $MILLIS[unit]) % of, 2);
    const rest = Math.round((size % 1000) * 10000);
    const time = `${part("Hours", 24)}:${part("Minutes", 60)}:${part("Seconds", 60)}`;
    return `${this.millis < 0 ? "-" : ""}${days ? `${days}.` : ""}${time}${rest ? `.${$pad(rest, 7)}` : ""}`;
  }

  toJSON() {
    return this.toString();
  }
}

function $moment(value) {
  if (value instanceof $Moment) return value;
  if (value instanceof Date) return new $Moment(value.getTime(), 0, "Z");
  if (typeof value !== "string" || value.length < 10) return undefined;
  const found = $DATE.exec(value);
  if (found === null) return undefined;
  const [, year, month, day, hour = 0, minute = 0, second = 0, fraction = "", zone = ""] = found;
  const rest = fraction.padEnd(7, "0");
  const clock = new Date(0);
  clock.setUTCFullYear(+year, month - 1, +day);
  if (clock.getUTCMonth() !== month - 1 || hour > 23 || minute > 59 || second > 59) return undefined;
  clock.setUTCHours(+hour, +minute, +second, +rest.slice(0, 3));
  return new $Moment(clock.getTime(), +rest.slice(3), zone === "+00:00" ? "Z" : zone);
}

function $spanOf(value) {
  if (value instanceof $Span) return value;
  const found = typeof value === "string" ? $SPAN.exec(value) : null;
  if (found === null) return undefined;
  const [, sign, days = 0, hours, minutes, seconds = 0, fraction = ""] = found;
  const clock = ((+days * 24 + +hours) * 60 + +minutes) * 60 + +seconds;
  const millis = clock * 1000 + +fraction.padEnd(7, "0") / 10000;
  return new $Span(sign ? -millis : millis);
}

function $date(value) {
  if (value === null || value === undefined) return value;
  const moment = $moment(value);
  if (moment === undefined) throw new TypeError(`'${value}' is no date`);
  return moment;
}

function $span(value) {
  if (value === null || value === undefined) return value;
  const span = $spanOf(value);
  if (span === undefined) throw new TypeError(`'${value}' is no duration`);
  return span;
}

function $dateOfTicks(ticks) {
  const whole = BigInt(ticks instanceof $Exact ? ticks.text : ticks);
  return new $Moment(Number(whole / 10000n - 62135596800000n), Number(whole % 10000n));
}

function $newDate(year, month, day, hour = 0, minute = 0, second = 0, milli = 0, kind = "") {
  const clock = new Date(0);
  clock.setUTCFullYear(year, month - 1, day);
  clock.setUTCHours(hour, minute, second, typeof milli === "number" ? milli : 0);
  const zone = [milli, kind].includes("Utc") ? "Z" : "";
  return new $Moment(clock.getTime(), 0, zone);
}

function $newSpan(...given) {
  const [days, hours, minutes, seconds, millis] =
    given.length === 1 ? [0, 0, 0, given[0] / 1e7, 0] : given.length === 3 ? [0, ...given, 0] : [...given, 0, 0];
  return new $Span((((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000 + millis);
}

const $DAY_OF_YEAR = (clock) =>
  Math.floor((clock.getTime() - Date.UTC(clock.getUTCFullYear(), 0, 1)) / 86400000) + 1;
const $PARTS = {
  Year: (m) => m.clock.getUTCFullYear(),
  Month: (m) => m.clock.getUTCMonth() + 1,
  Day: (m) => m.clock.getUTCDate(),
  Hour: (m) => m.clock.getUTCHours(),
  Minute: (m) => m.clock.getUTCMinutes(),
  Second: (m) => m.clock.getUTCSeconds(),
  Millisecond: (m) => m.clock.getUTCMilliseconds(),
  DayOfWeek: (m) => $WEEKDAYS[m.clock.getUTCDay()],
  DayOfYear: (m) => $DAY_OF_YEAR(m.clock),
  Date: (m) => new $Moment(Math.floor(m.millis / 86400000) * 86400000, 0, m.zone),
  TimeOfDay: (m) => new $Span((((m.millis % 86400000) + 86400000) % 86400000) + m.ticks / 10000),
  Ticks: (m) => $whole(String((BigInt(m.millis) + 62135596800000n) * 10000n + BigInt(m.ticks))),
  UtcDateTime: (m) => new $Moment(m.utcMillis, m.ticks, "Z"),
};
const $SPAN_PARTS = { Ticks: (s) => Math.round(s.millis * 10000) };
for (const [unit, millis] of Object.entries($MILLIS)) {
  const of = { Days: Infinity, Hours: 24, Minutes: 60, Seconds: 60, Milliseconds: 1000 }[unit];
  $SPAN_PARTS[`Total${unit}`] = (s) => s.millis / millis;
  $SPAN_PARTS[unit] = (s) => (of === Infinity ? Math.trunc(s.millis / millis) : Math.trunc(s.millis / millis) % of);
}

// `yyyy-MM-dd` and the like.
const $FORMATS = {
  s: "yyyy-MM-ddTHH:mm:ss",
  o: "yyyy-MM-ddTHH:mm:ss.fffffffK",
  O: "yyyy-MM-ddTHH:mm:ss.fffffffK",
  d: "MM/dd/yyyy",
  D: "dddd, dd MMMM yyyy",
  u: "yyyy-MM-dd HH:mm:ssZ",
  M: "MMMM dd",
  Y: "yyyy MMMM",
  y: "yyyy MMMM",
  "": "MM/dd/yyyy HH:mm:ss",
};
const $FORMAT_PART = /yyyy|yy|MMMM|MMM|MM|M|dddd|ddd|dd|d|HH|H|hh|h|mm|m|ss|s|f{1,7}|tt|K|zzz|'[^']*'|"[^"]*"|\\./g;

function $formatDate(moment, format) {
  const clock = moment.clock;
  const year = clock.getUTCFullYear();
  const month = clock.getUTCMonth();
  const hour = clock.getUTCHours();
  const half = hour % 12 || 12;
  const parts = {
    ...{ yyyy: $pad(year, 4), yy: $pad(year % 100, 2), MMMM: $MONTHS[month], MMM: $MONTHS[month].slice(0, 3) },
    ...{ MM: $pad(month + 1, 2), M: month + 1, dddd: $WEEKDAYS[clock.getUTCDay()] },
    ...{ ddd: $WEEKDAYS[clock.getUTCDay()].slice(0, 3), dd: $pad(clock.getUTCDate(), 2), d: clock.getUTCDate() },
    ...{ HH: $pad(hour, 2), H: hour, hh: $pad(half, 2), h: half, tt: hour < 12 ? "AM" : "PM" },
    ...{ mm: $pad(clock.getUTCMinutes(), 2), m: clock.getUTCMinutes() },
    ...{ ss: $pad(clock.getUTCSeconds(), 2), s: clock.getUTCSeconds() },
    ...{ K: moment.zone, zzz: moment.zone === "Z" || moment.zone === "" ? "+00:00" : moment.zone },
  };
  const fraction = $pad(clock.getUTCMilliseconds(), 3) + $pad(moment.ticks, 4);
  return ($FORMATS[format] ?? format).replace($FORMAT_PART, (part) => {
    if (part[0] === "'" || part[0] === '"') return part.slice(1, -1);
    if (part[0] === "\\") return part[1];
    return part[0] === "f" ? fraction.slice(0, part.length) : String(parts[part]);
  });
}
