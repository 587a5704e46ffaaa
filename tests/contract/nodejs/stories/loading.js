/** Ways to load: with includes, by prefix, on a condition, or only to look. */
import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { Address, clusterWide, Company, load, save, story, User } from "../story.js";

story("a load includes what it names", async (world) => {
    const store = world.open();
    await save(store, {
        "addresses/1": new Address("Haifa"),
        "companies/1": new Company("Quoth", "addresses/1"),
        "companies/2": new Company("Raven", "addresses/missing"),
    });
    for (const session of [store.openSession(), clusterWide(store)]) {
        const companies = await session
            .include("addressId")
            .load(["companies/1", "companies/2"], Company);
        assert.equal(companies["companies/1"].name, "Quoth");
        assert.equal((await session.load("addresses/1", Address)).city, "Haifa");
        assert.equal(session.advanced.numberOfRequests, 1);
        assert.equal(await session.load("addresses/missing", Address), null);
    }
});

story("a load includes compare-exchange values", async (world) => {
    const store = world.open();
    const session = clusterWide(store);
    session.advanced.clusterTransaction.createCompareExchangeValue("users/1", "mine");
    await session.store(Object.assign(new User("John"), { lock: "users/1" }), "users/1");
    await session.saveChanges();
    const again = clusterWide(store);
    const john = await again.load("users/1", {
        documentType: User,
        includes: (include) => include.includeCompareExchangeValue("lock"),
    });
    assert.equal(john.name, "John");
    const value = await again.advanced.clusterTransaction.getCompareExchangeValue("users/1");
    assert.equal(value.value, "mine");
    assert.equal(again.advanced.numberOfRequests, 1);
});

story("documents are loaded by the beginning of their ids", async (world) => {
    const store = world.open();
    await save(store, {
        "users/1": new User("one"),
        "users/10": new User("ten"),
        "users/2": new User("two"),
        "users/3": new User("three"),
        "companies/1": new Company("none"),
    });
    const { advanced } = store.openSession();
    const names = async (options) =>
        (await advanced.loadStartingWith("users/", { documentType: User, ...options })).map(
            (user) => user.name,
        );
    assert.deepEqual(await names({}), ["one", "ten", "two", "three"]);
    assert.deepEqual(await names({ start: 1, pageSize: 2 }), ["ten", "two"]);
    assert.deepEqual(await names({ matches: "1*|3" }), ["one", "ten", "three"]);
    assert.deepEqual(await names({ exclude: "1?" }), ["one", "two", "three"]);
    assert.deepEqual(await names({ matches: "never" }), []);
});

story("documents are loaded into a stream as they are", async (world) => {
    const store = world.open();
    await save(store, { "users/1": new User("John"), "users/2": new User("Jane") });
    const { advanced } = store.openSession();
    const names = async (write) => {
        const stream = new PassThrough();
        const [content] = await Promise.all([text(stream), write(stream)]);
        return JSON.parse(content).results.map((user) => user.name);
    };
    const byIds = (stream) => advanced.loadIntoStream(["users/2", "users/1"], stream);
    const byPrefix = (stream) => advanced.loadStartingWithIntoStream("users/", stream);
    assert.deepEqual(await names(byIds), ["Jane", "John"]);
    assert.deepEqual(await names(byPrefix), ["John", "Jane"]);
});

story("a load of more ids than a URL holds", async (world) => {
    const store = world.open();
    const ids = Array.from({ length: 40 }, (_, number) => `users/${"x".repeat(40)}-${number}`);
    await save(store, Object.fromEntries(ids.map((id) => [id, new User(id)])));
    const found = await store.openSession().load([...ids, "users/none"], User);
    assert.deepEqual(ids.map((id) => found[id]?.name), ids);
    assert.equal(found["users/none"], null);
});

story("a conditional load brings only what is newer", async (world) => {
    const store = world.open();
    await save(store, { "users/1": new User("John", 30) });
    const reader = store.openSession();
    const known = reader.advanced.getChangeVectorFor(await reader.load("users/1", User));
    const conditional = (id, vector) =>
        store.openSession().advanced.conditionalLoad(id, vector, User);

    const same = await conditional("users/1", known);
    assert.deepEqual([same.entity, same.changeVector], [null, known]);

    await save(store, { "users/1": new User("John", 40) });
    const newer = await conditional("users/1", known);
    assert.equal(newer.entity.age, 40);
    assert.notEqual(newer.changeVector, known);
    // As it came, in quotes or without them, it is good for the next time.
    const again = await conditional("users/1", newer.changeVector.replaceAll('"', ""));
    assert.equal(again.entity, null);

    const missing = await conditional("users/none", known);
    assert.deepEqual([missing.entity, missing.changeVector], [null, null]);
});

story("ids may hold every kind of character", async (world) => {
    const store = world.open();
    const ids = ["a b", "a+b", "a%20b", "a&id=x", "a?b#c", "ä/ö", "東", "\u{1F40E}", `a'b"c`, "a\\b"];
    const named = ids.map((id) => `odd/${id}`);
    await save(store, Object.fromEntries(named.map((id) => [id, new User(id)])));
    const { advanced } = store.openSession();
    for (const id of named) {
        assert.equal((await load(store, id))?.name, id);
        assert(await store.openSession().advanced.exists(id), id);
        const [found] = await advanced.loadStartingWith(id, { documentType: User });
        assert.equal(found.name, id);
    }
    const together = await store.openSession().load(named, User);
    assert.deepEqual(named.map((id) => together[id]?.name), named);
    const session = clusterWide(store);
    for (const id of named) {
        (await session.load(id, User)).age = 1;
        session.advanced.clusterTransaction.createCompareExchangeValue(id, id);
    }
    await session.saveChanges();
    const reader = clusterWide(store);
    const values = await reader.advanced.clusterTransaction.getCompareExchangeValues(named);
    assert.deepEqual(named.map((id) => values[id]?.value), named);
    for (const id of named) {
        await reader.delete(await reader.load(id, User));
    }
    await reader.saveChanges();
    assert.deepEqual(await advanced.loadStartingWith("odd/", { documentType: User }), []);
});

story("whether a document exists is asked without loading it", async (world) => {
    const store = world.open();
    await save(store, { "users/1": new User("John") });
    const { advanced } = store.openSession();
    assert.equal(await advanced.exists("users/1"), true);
    assert.equal(await advanced.exists("users/2"), false);
    assert(!advanced.isLoaded("users/1"));
    await save(store, { "users/2": new User("Jane") });
    assert.equal(await store.openSession().advanced.exists("users/2"), true);
});

story("the cache of the client is never older than the cluster", async (world) => {
    const store = world.open();
    for (let age = 0; age < 5; age++) {
        assert.equal((await load(store, "users/1"))?.age, age === 0 ? undefined : age - 1);
        await save(store, { "users/1": new User("John", age) });
        const { advanced } = store.openSession();
        const [found] = await advanced.loadStartingWith("users/", { documentType: User });
        assert.equal(found.age, age);
    }
    const session = store.openSession();
    await session.delete("users/1");
    await session.saveChanges();
    assert.equal(await load(store, "users/1"), null);
});
