/** Compare-exchange values, one by one. */
import assert from "node:assert/strict";
import {
    DeleteCompareExchangeValueOperation,
    GetCompareExchangeValueOperation,
    GetCompareExchangeValuesOperation,
    PutCompareExchangeValueOperation,
} from "ravendb";
import { failure, story, User } from "../story.js";

const put = (store, key, value, index, metadata) =>
    store.operations.send(new PutCompareExchangeValueOperation(key, value, index, metadata));
const get = async (store, key, type) =>
    (await store.operations.send(new GetCompareExchangeValueOperation(key, type))) ?? null;
const remove = (store, key, index) =>
    store.operations.send(new DeleteCompareExchangeValueOperation(key, index));

story("a value changes only under the index that was read", async (world) => {
    const store = world.open();
    const created = await put(store, "lock", "mine", 0);
    assert(created.successful && created.index > 0);
    assert.equal(created.value, "mine");
    const refused = await put(store, "lock", "yours", 0);
    assert.deepEqual(
        [refused.successful, refused.value, refused.index],
        [false, "mine", created.index],
    );
    const changed = await put(store, "LOCK", "yours", created.index);
    assert(changed.successful && changed.index > created.index);
    const read = await get(store, "lock");
    assert.deepEqual([read.value, read.index], ["yours", changed.index]);
});

story("a value is deleted only under its index", async (world) => {
    const store = world.open();
    const created = await put(store, "lock", "mine", 0);
    const late = await remove(store, "lock", created.index - 1);
    assert.deepEqual([late.successful, late.value, late.index], [false, "mine", created.index]);
    const gone = await remove(store, "lock", created.index);
    assert.deepEqual([gone.successful, gone.value], [true, "mine"]);
    assert.equal(await get(store, "lock"), null);
    const again = await put(store, "lock", "again", 0);
    assert(again.successful && again.index > created.index, "an index never comes back");
});

story("values are numbers, texts, objects and entities", async (world) => {
    const store = world.open();
    await put(store, "number", 17, 0);
    const object = { name: "x", list: [1, { y: null }] };
    await put(store, "object", object, 0);
    await put(store, "user", new User("John", 30), 0);
    assert.equal((await get(store, "number")).value, 17);
    assert.deepEqual({ ...(await get(store, "object")).value }, object);
    const user = (await get(store, "user", User)).value;
    assert(user instanceof User);
    assert.deepEqual([user.name, user.age], ["John", 30]);
});

story("values are read together", async (world) => {
    const store = world.open();
    for (const key of ["a/1", "a/2", "a/3", "b/1"]) {
        await put(store, key, `value of ${key}`, 0);
    }
    const send = (asked) => store.operations.send(new GetCompareExchangeValuesOperation(asked));
    const named = await send({ keys: ["a/1", "b/1", "none"] });
    assert.equal(named["a/1"].value, "value of a/1");
    assert.equal(named["b/1"].value, "value of b/1");
    assert.equal(named["none"]?.value ?? null, null);
    assert.deepEqual(Object.keys(await send({ startWith: "a/" })), ["a/1", "a/2", "a/3"]);
    assert.deepEqual(Object.keys(await send({ startWith: "a/", start: 1, pageSize: 1 })), ["a/2"]);
    assert.deepEqual(Object.keys(await send({ startWith: "nothing" })), []);
    assert.equal(Object.keys(await send({ startWith: "" })).length, 4);
});

story("a value keeps its metadata", async (world) => {
    const store = world.open();
    const metadata = { color: "blue", "@expires": "2100-01-01T00:00:00.0000000Z" };
    assert((await put(store, "lock", "mine", 0, metadata)).successful);
    const read = await get(store, "lock");
    assert.equal(read.metadata["color"], "blue");
    assert.match(read.metadata["@expires"], /^2100-01-01/);
});

story("one of many wins a key", async (world) => {
    const stores = [world.open(), world.open(), world.open()];
    const puts = stores.map((store, number) => put(store, "race", `store ${number}`, 0));
    const results = await Promise.all(puts);
    const winners = results.filter((result) => result.successful);
    assert.equal(winners.length, 1);
    assert.equal((await get(stores[0], "race")).value, winners[0].value);
});

story("a key that is too long is refused by name", async (world) => {
    const store = world.open();
    await failure("CompareExchangeKeyTooBigException", put(store, "x".repeat(600), "mine", 0));
});
