// What definitions in JavaScript find: `map('Users', u => ({...}))`, `groupBy(...).aggregate(...)`.
"use strict";
Object.assign(
  globalThis,
  (() => {
    const definition = $host.definition;
    const { stringify } = JSON;

    // Stands for any value while a definition is looked at: it has every member, and is called,
    // gone over once and read as a number or a text.
    function anything(path) {
      return new Proxy(function () {}, {
        get(_, name) {
          if (name === Symbol.toPrimitive) return () => 1;
          if (name === Symbol.iterator) return () => [anything(`${path}[]`)][Symbol.iterator]();
          if (name === PATH) return path;
          return typeof name === "string" ? anything(path === "" ? name : `${path}.${name}`) : undefined;
        },
        apply(_, self, given) {
          const work = given.find((one) => typeof one === "function");
          return work === undefined ? anything(`${path}()`) : [work(anything(`${path}[]`), anything(""))];
        },
        has: () => true,
        ownKeys: () => ["prototype"],
      });
    }
    const PATH = Symbol("path");
    const isPlain = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

    function keyFields(by) {
      const key = by(anything(""));
      const paths = isPlain(key) ? Object.values(key).map((value) => value?.[PATH]) : Array.isArray(key) ? key.map((value) => value?.[PATH]) : [key?.[PATH]];
      if (typeof key !== "function" && !isPlain(key) && !Array.isArray(key)) return [];
      const fields = paths.filter((path) => typeof path === "string" && /^[^.()[\]]+$/.test(path));
      if (fields.length !== paths.length) throw new TypeError("results are grouped by their fields, nothing else");
      return fields;
    }

    function fieldsOf(work) {
      try {
        looking = true;
        const outputs = work(anything(""));
        const names = new Set();
        for (const output of Array.isArray(outputs) ? outputs : [outputs]) {
          if (!isPlain(output)) return null;
          for (const [name, value] of Object.entries(output)) {
            if (name === "_" || value instanceof $Field || value?.$name !== undefined && typeof value !== "function") return null;
            names.add(name);
          }
        }
        return names.size === 0 ? null : [...names];
      } catch {
        return null;
      } finally {
        looking = false;
      }
    }
    let looking = false;
    const loads = new Set(); // collections, seen while looking

    function load(id, collection) {
      if (!looking) return $host.load(id, collection, null);
      if (typeof collection === "string") loads.add(collection);
      return anything("");
    }

    function map(collection, work) {
      if (typeof collection === "function") return map("", collection);
      if (typeof collection !== "string" || typeof work !== "function") {
        throw new TypeError("map takes the name of a collection and a function");
      }
      definition.maps.push({ collection: collection === "@all_docs" ? "" : collection, work });
    }

    function groupBy(by) {
      if (typeof by !== "function") throw new TypeError("groupBy takes a function");
      return {
        aggregate(work) {
          if (typeof work !== "function") throw new TypeError("aggregate takes a function");
          definition.key = by;
          definition.reduce = (values) => work({ key: by(values[0]), values });
        },
      };
    }

    let unsupported;
    const refuse = (name) => () => {
      unsupported ??= name;
      throw new TypeError(`${name} is not supported in indexes`);
    };

    // What was defined, for the compiler.
    $host.described = () => {
      const collections = definition.maps.map(({ collection }) => collection);
      return stringify({ collections, groupBy: definition.key === null ? null : keyFields(definition.key) });
    };
    $host.fields = (number) => {
      loads.clear();
      const fields = fieldsOf(definition.maps[number].work);
      if (unsupported !== undefined) refuse(unsupported)();
      return stringify({ fields, loads: [...loads] });
    };

    return {
      map,
      groupBy,
      load,
      id: (document) => document?.[$ID] ?? null,
      getMetadata: (document) => document?.["@metadata"] ?? null,
      createField: (name, value, options) => new $Field(name, value, options ?? {}),
      tryConvertToNumber: (value) => {
        const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
        return typeof number === "number" && !isNaN(number) ? number : null;
      },
      recurse: (document, by) => $f.Recurse(document, by),
      cmpxchg: refuse("cmpxchg"),
      createSpatialField: refuse("createSpatialField"),
      attachmentsFor: refuse("attachmentsFor"),
      counterNamesFor: refuse("counterNamesFor"),
      timeSeriesNamesFor: refuse("timeSeriesNamesFor"),
      timeSeries: { map: refuse("timeSeries.map") },
      counters: { map: refuse("counters.map") },
      noTracking: { load: refuse("noTracking.load") },
    };
  })(),
);
Date.prototype.toJSON = function () {
  return isFinite(this) ? this.toISOString().replace("Z", "0000Z") : null;
};
