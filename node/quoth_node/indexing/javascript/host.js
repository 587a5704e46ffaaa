// Documents in, entries out: batches as JSON. Nothing here calls out while a definition runs: what it
// loads and was not given is noted, and the document is mapped again once it is there.
"use strict";

class $Field {
  constructor(name, value, options) {
    this.name = name;
    this.value = value;
    this.options = options;
  }
}

const $host = (() => {
  const { parse, stringify } = JSON;
  const MISSING = { toString: () => "a document is not there yet" };
  const definition = { maps: [], key: null, reduce: null };
  let loaded = new Map(); // id as it was asked for -> document or null
  let missing, references, dynamic;
  let results = [];

  function load(id, collection, nothing) {
    if (id === null || id === undefined) return nothing;
    if (Array.isArray(id)) return loadAll(id, collection, nothing);
    if (typeof id !== "string" || id === "") return nothing;
    references.push([collection ?? "", id]);
    const document = loaded.get(id);
    if (document === undefined) {
      missing.push(id);
      throw MISSING;
    }
    return document ?? nothing;
  }

  function loadAll(ids, collection, nothing) {
    const texts = ids.filter((id) => typeof id === "string" && id !== "");
    const unknown = texts.filter((id) => !loaded.has(id));
    missing.push(...unknown.slice(0, -1)); // all of them at once
    if (unknown.length > 0) load(unknown.at(-1), collection, nothing);
    return ids.map((id) => load(id, collection, nothing));
  }

  function open(document, id, metadata) {
    document[$ID] = id;
    if (metadata !== null) document["@metadata"] = metadata;
    return document;
  }

  // -- what a document gives

  function isPlain(value) {
    return value !== null && typeof value === "object" && !Array.isArray(value);
  }

  function addField(entry, field) {
    if (Array.isArray(field)) {
      for (const one of field) addField(entry, one);
    } else if (field instanceof $Field) {
      entry[field.name] = field.value;
      dynamic[field.name] = field.options;
    } else if (isPlain(field) && "$name" in field) {
      entry[field.$name] = field.$value;
      dynamic[field.$name] = field.$options ?? {};
    }
  }

  const isField = (value) => value instanceof $Field || (isPlain(value) && "$value" in value);

  // Fields made while mapping stand under a name that does not matter.
  function spread(output) {
    const entry = {};
    for (const name of Object.keys(output)) {
      const value = output[name];
      if (isField(value) && !(value instanceof $Field) && !("$name" in value)) {
        entry[name] = value.$value;
        if (value.$options !== undefined) dynamic[name] = value.$options;
      } else if (isField(value) || (Array.isArray(value) && value.length > 0 && value.every(isField))) {
        addField(entry, value);
      } else if (name !== "_" || (value !== undefined && !Array.isArray(value))) {
        entry[name] = value;
      }
    }
    return entry;
  }

  const needsSpread = (value) =>
    typeof value === "object" && value !== null &&
    (value instanceof $Field || "$value" in value || (Array.isArray(value) && isField(value[0])));

  function entryOf(output) {
    if (!isPlain(output)) throw new TypeError("a map gives objects");
    for (const name in output) {
      if (name === "_" || needsSpread(output[name])) return spread(output);
    }
    return output;
  }

  function mapOne([maps, id, body, metadata]) {
    const document = open(body, id, metadata);
    references = [];
    missing = [];
    dynamic = {};
    try {
      const entries = [];
      for (const number of maps) {
        const outputs = definition.maps[number].work(document);
        if (Array.isArray(outputs)) {
          for (const output of outputs) if (output !== null && output !== undefined) entries.push(entryOf(output));
        } else if (outputs !== null && outputs !== undefined) {
          entries.push(entryOf(outputs));
        }
      }
      if (references.length === 0 && Object.keys(dynamic).length === 0) return entries;
      return { entries, references, dynamic };
    } catch (error) {
      if (missing.length > 0) return { missing };
      // Where there was no memory left for an error, null is thrown.
      if (error === null) return { error: "the script took more memory than it may", references };
      return { error: describe(error), references };
    }
  }

  function describe(error) {
    if (!(error instanceof Error)) return `thrown: ${stringify(error) ?? String(error)}`;
    return `${error.name}: ${error.message}`;
  }

  // -- what the host calls

  function parses(text) {
    try {
      new Function(text);
      return "yes";
    } catch {
      return "no";
    }
  }

  function map(text, isCareful) {
    results = []; // as far as it comes
    const documents = isCareful ? parse(text, $revive) : parse(text);
    for (const document of documents) results.push(mapOne(document));
    return stringify(results);
  }

  // One by one: of a batch that was broken off, or that cannot be written or read together.
  function each() {
    return stringify(
      results.map((result) => {
        try {
          return stringify(result) ?? "null";
        } catch (error) {
          return stringify({ error: describe(error), references: result?.references ?? [] });
        }
      }),
    );
  }

  function give(text, isCareful) {
    for (const [asked, id, body, metadata] of isCareful ? parse(text, $revive) : parse(text)) {
      loaded.set(asked, body === null ? null : open(body, id, metadata));
    }
    return "";
  }

  function forget() {
    loaded = new Map();
    results = [];
    return "";
  }

  function reduce(text, isCareful) {
    const values = isCareful ? parse(text, $revive) : parse(text);
    try {
      const outputs = definition.reduce(values);
      const listed = Array.isArray(outputs) ? outputs : [outputs];
      return stringify(listed.filter((output) => output !== null && output !== undefined));
    } catch (error) {
      return stringify({ error: describe(error) });
    }
  }

  return { definition, load, map, each, give, forget, reduce, describe, parses };
})();
