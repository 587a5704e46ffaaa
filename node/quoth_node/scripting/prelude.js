// What a patch script finds in its engine, and how documents get in and out of it.
//
// The engine cannot call out while its steps are limited. So a script that asks for what it was not
// given is broken off, the host learns what it asked for, and runs it again with that: chance and time
// are the same in every run, so it comes to the same place.
//
// Numbers keep their text where a script leaves them alone. A whole number that no double holds is an
// object with its text, wherever the script moves it; any other number whose text JavaScript would
// write differently (1.0) keeps it while it stays where it is with the value it had.
(() => {
  "use strict";
  const { parse, stringify, rawJSON } = JSON;
  const { defineProperty, is, keys } = Object;
  const [toText, RealError] = [String, Error];
  const joined = Function.prototype.call.bind(Array.prototype.join); // one flat text, as the host reads
  const OUTPUT_CHARACTERS_MAX = 65536;
  const INTEGER = /^-?[0-9]+$/;
  const SERVER_METADATA = ["@id", "@change-vector", "@last-modified", "@flags", "@index-score"];

  // -- numbers

  const textOf = new WeakMap(); // a number as an object -> its text
  const numberOf = new Map(); // text -> the object, one for equal numbers
  const kept = new WeakMap(); // object or array -> key -> [value, text]
  let keepsAny = false;

  class WholeNumber extends Number {
    toJSON() {
      return rawJSON(textOf.get(this));
    }
  }

  function wholeNumber(value, text) {
    let number = numberOf.get(text);
    if (number === undefined) {
      number = new WholeNumber(value);
      textOf.set(number, text);
      numberOf.set(text, number);
    }
    return number;
  }

  function revive(key, value, context) {
    const text = context.source;
    if (typeof value !== "number" || text === undefined || stringify(value) === text) return value;
    if (INTEGER.test(text) && value !== 0) return wholeNumber(value, text);
    let numbers = kept.get(this);
    if (numbers === undefined) kept.set(this, (numbers = new Map()));
    numbers.set(key, [value, text]);
    keepsAny = true;
    return value;
  }

  function keep(key, value) {
    if (typeof value !== "number") return value;
    const found = kept.get(this)?.get(key);
    return found !== undefined && is(found[0], value) ? rawJSON(found[1]) : value;
  }

  // Where no number could be written differently, reading is three times as fast without this care.
  const CARE = /[0-9]{16}|[.][0-9]*0(?![0-9])|[0-9][eE]|-0(?![.0-9])/;

  function read(text) {
    return CARE.test(text) ? parse(text, revive) : parse(text);
  }

  function write(value) {
    return keepsAny ? stringify(value, keep) : stringify(value);
  }

  defineProperty(BigInt.prototype, "toJSON", {
    value() {
      if (this < -(2n ** 63n) || this >= 2n ** 64n) throw new RangeError(`${this} is over 64 bits`);
      return rawJSON(String(this));
    },
  });

  // -- documents

  let task;
  const idOf = new WeakMap(); // a document -> its id
  const documents = new Map(); // id as it was asked for -> document or null
  const values = new Map(); // key of a compare-exchange value -> the value or null
  const put = new Map(); // id in lower case -> text, or null where the script deleted it
  const written = []; // what the script put and deleted, in order
  const loaded = [];
  const output = [];
  let outputCharacters = 0;
  let missing = { documents: [], values: [] };
  let serverSideIds = 0;
  const BREAK_OFF = { toString: () => "this document is not there yet" };

  function open(document, id) {
    const metadata = document["@metadata"];
    for (const name of SERVER_METADATA) {
      if (metadata !== undefined && name in metadata) {
        const value = metadata[name]; // readable, but not the script's to write
        defineProperty(metadata, name, { value, enumerable: false, writable: true });
      }
    }
    idOf.set(document, id);
    return document;
  }

  function find(id) {
    // Every branch is a step of the script's: the way that most loads go has few.
    let given = put.size === 0 ? documents.get(id) : undefined;
    if (given !== undefined) return given;
    if (typeof id !== "string" || id === "") return null;
    const text = put.get(id.toLowerCase());
    if (text !== undefined) return text === null ? null : open(read(text), id);
    given = documents.get(id);
    if (given === undefined) missing.documents.push(id);
    return given;
  }

  function load(ids) {
    if (ids === null || ids === undefined) return null;
    const before = missing.documents.length;
    const found = Array.isArray(ids) ? ids.map(find) : find(ids);
    if (missing.documents.length > before) throw BREAK_OFF;
    loaded.push(...[].concat(ids));
    return found;
  }

  function loadPath(document, path) {
    let found = [document];
    for (const part of String(path).split(/[.,]/).map((name) => name.replace("[]", ""))) {
      found = found.map((value) => value?.[part]).flat(1);
    }
    const ids = found.filter((value) => typeof value === "string");
    return ids.length > 1 ? load(ids) : load(ids[0]);
  }

  function newId(id) {
    if (id === null || id === undefined || id === "") return guid();
    if (typeof id !== "string") throw new TypeError("put: the id of a document is a string");
    if (id.endsWith("|")) throw new Error(`put: a script takes no identity, as '${id}' asks for`);
    if (!id.endsWith(task.separator)) return id;
    const number = task.nextEtag + serverSideIds++;
    return `${id}${String(number).padStart(19, "0")}-${task.nodeTag}`;
  }

  function putDocument(id, document, changeVector) {
    if (document === null || typeof document !== "object" || Array.isArray(document)) {
      throw new TypeError("put: a document is an object");
    }
    const resolved = newId(id);
    const text = write(document);
    if (text?.[0] !== "{") throw new TypeError("put: a document is an object");
    const isNew = resolved !== id ? "" : null;
    written.push({ id: resolved, text, changeVector: changeVector ?? isNew });
    put.set(resolved.toLowerCase(), text);
    return resolved;
  }

  function del(id, changeVector) {
    if (typeof id !== "string" || id === "") throw new TypeError("del: an id is a string");
    written.push({ id, text: null, changeVector: changeVector ?? null });
    put.set(id.toLowerCase(), null);
  }

  function cmpxchg(key) {
    const value = values.get(String(key));
    if (value !== undefined) return value === null ? null : value.Object;
    missing.values.push(String(key));
    throw BREAK_OFF;
  }

  function print(...given) {
    const text = given.map((value) => (typeof value === "string" ? value : write(value))).join(" ");
    outputCharacters += text.length + 1;
    if (outputCharacters > OUTPUT_CHARACTERS_MAX) {
      throw new RangeError(`a script may output ${OUTPUT_CHARACTERS_MAX} characters`);
    }
    output.push(text);
  }

  // -- time and chance: the same whenever a script is run again

  const RealDate = Date;
  let state = 0;

  function random() {
    state = (state + 0x6d2b79f5) | 0; // mulberry32
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  }

  function guid() {
    return "xxxxxxxx-xxxx-4xxx-8xxx-xxxxxxxxxxxx".replace(/x/g, () =>
      Math.floor(random() * 16).toString(16),
    );
  }

  function StoppedDate(...given) {
    if (new.target === undefined) return new RealDate(task.atMillis).toString();
    return Reflect.construct(RealDate, given.length > 0 ? given : [task.atMillis], new.target);
  }

  StoppedDate.prototype = RealDate.prototype;
  StoppedDate.parse = RealDate.parse;
  StoppedDate.UTC = RealDate.UTC;
  StoppedDate.now = () => task.atMillis;
  RealDate.prototype.constructor = StoppedDate;
  RealDate.prototype.toJSON = function () {
    if (!isFinite(this)) return null;
    return this.toISOString().replace("Z", "0000Z"); // the clients insist on seven digits
  };

  // -- what scripts see

  function refuse(name) {
    return () => {
      throw new Error(`${name} is not supported in scripts`);
    };
  }

  const NOT_SUPPORTED =
    "archived attachmentsFor counter counterRaw deleteCounter getCounters getRevision getRevisionsCount " +
    "include includes incrementCounter loadAttachment loadAttachments loadVector timeseries";
  for (const name of NOT_SUPPORTED.split(" ")) globalThis[name] = refuse(name);
  defineProperty(globalThis, "spatial", { get: refuse("spatial") });
  for (const name of ["Atomics", "SharedArrayBuffer", "WeakRef", "FinalizationRegistry", "performance"]) {
    delete globalThis[name];
  }
  delete globalThis.queueMicrotask;
  Math.random = random;
  globalThis.Date = StoppedDate;
  Object.assign(globalThis, {
    id: (document) => idOf.get(document) ?? null,
    getMetadata: (document) => document["@metadata"],
    lastModified: (document) => RealDate.parse(document["@metadata"]["@last-modified"]),
    put: putDocument,
    output: print,
    console: { log: print, info: print, warn: print, error: print, debug: print },
    ...{ load, loadPath, del, cmpxchg },
  });

  // -- what the host calls

  let document, args, compiled, failure;

  function prepare(text) {
    task = parse(text);
    state = task.seed;
    document = open(read(task.document), task.id);
    args = read(task.arguments);
    for (const [id, realId, text] of task.documents) {
      documents.set(id, text === null ? null : open(read(text), realId));
    }
    for (const [key, text] of task.values) values.set(key, text === null ? null : read(text));
    for (const name of keys(args)) globalThis[`$${name}`] = args[name];
    globalThis.$args = args;
  }

  // A script's text begins on the second line of what is compiled.
  function describe(error, ownFrames) {
    if (!(error instanceof RealError)) {
      return typeof error === "string" ? error : (stringify(error) ?? toText(error));
    }
    const lines = [...ownFrames(toText(error.stack)).matchAll(/<input>:([0-9]+)/g)];
    const line = lines.length === 0 ? "" : ` (line ${lines.at(-1)[1] - 1})`;
    return `${error.name}: ${error.message}${line}`;
  }

  const whileCompiling = (stack) => stack.split("\n")[0];
  const whileRunning = (stack) => stack.split("at call (native)")[0];
  const nowhere = () => "";

  function run() {
    try {
      compiled = (0, eval)(`(function (args) {\n${task.script}\n})`);
    } catch (error) {
      failure = { kind: "parse", message: describe(error, whileCompiling) };
      return;
    }
    try {
      compiled.call(document, args);
    } catch (error) {
      if (error === BREAK_OFF) return;
      const kind = error?.message === "out of memory" ? "limit" : "run";
      failure = { kind, message: describe(error, whileRunning) };
    }
  }

  // The script may have replaced what arrays and texts can do: from here on nothing of it is used.
  function listed(array, write) {
    const texts = [];
    for (let i = 0; i < array.length; i++) texts[i] = write(array[i]);
    return joined(["[", joined(texts, ","), "]"], "");
  }

  const quoted = (value) => stringify(value) ?? "null";
  const writtenOne = ({ id, text, changeVector }) => {
    const rest = [',"document":', text ?? "null", ',"changeVector":', quoted(changeVector), "}"];
    return joined(['{"id":', quoted(id), joined(rest, "")], "");
  };
  const failed = ({ kind, message }) =>
    joined(['{"failure":{"kind":', quoted(kind), ',"message":', quoted(message), "}}"], "");

  function finish() {
    // Asked first: a script that caught the break-off went on without what it had asked for.
    if (missing.documents.length + missing.values.length > 0) {
      const documents = listed(missing.documents, quoted);
      const values = listed(missing.values, quoted);
      return joined(['{"missing":{"documents":', documents, ',"values":', values, "}}"], "");
    }
    if (failure !== undefined) return failed(failure);
    try {
      const text = write(document);
      const puts = listed(written, writtenOne);
      const printed = listed(output, quoted);
      const rest = [',"written":', puts, ',"output":', printed, ',"loaded":', listed(loaded, quoted)];
      return joined(['{"document":', text, joined(rest, ""), "}"], "");
    } catch (error) {
      return failed({ kind: "run", message: describe(error, nowhere) });
    }
  }

  globalThis.__house = { prepare, run, finish };
})();
