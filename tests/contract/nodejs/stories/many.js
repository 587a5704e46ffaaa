/** Many documents: lazily loaded together, inserted in bulk, read as a stream. */
import assert from "node:assert/strict";
import { load, save, story, User } from "../story.js";

story("lazy loads go in one request", async (world) => {
    const store = world.open();
    await save(store, { "users/1": new User("John"), "users/2": new User("Jane") });
    const session = store.openSession();
    const john = session.advanced.lazily.load("users/1");
    const jane = session.advanced.lazily.load("users/2");
    const nobody = session.advanced.lazily.load("users/none");
    const all = session.advanced.lazily.loadStartingWith("users/");
    await session.advanced.eagerly.executeAllPendingLazyOperations();
    assert.equal(session.advanced.numberOfRequests, 1);
    assert.equal((await john.getValue()).name, "John");
    assert.equal((await jane.getValue()).name, "Jane");
    assert.equal(await nobody.getValue(), null);
    assert.deepEqual(Object.keys(await all.getValue()).sort(), ["users/1", "users/2"]);
});

async function insert(world, count, options) {
    const store = world.open();
    const inserting = store.bulkInsert(options);
    for (let number = 0; number < count; number++) {
        await inserting.store(new User(`user ${number}`, number), `users/${number}`);
    }
    await inserting.finish();
    return store;
}

story("a bulk insert takes in thousands of documents", async (world) => {
    const store = await insert(world, 3_000, {});
    assert.equal((await load(store, "users/2999")).age, 2_999);
    const found = await store.openSession().advanced.loadStartingWith("users/29", { pageSize: 500 });
    assert.equal(found.length, 111);
});

story("a bulk insert may be compressed", async (world) => {
    const store = await insert(world, 1_000, { useCompression: true });
    assert.equal((await load(store, "users/999")).name, "user 999");
});

story("documents are read as a stream", async (world) => {
    const store = await insert(world, 1_500, {});
    const session = store.openSession();
    const stream = await session.advanced.stream("users/1");
    const ages = [];
    for await (const item of stream) {
        ages.push(item.document.age);
    }
    assert.equal(ages.length, 1 + 10 + 100 + 500);
    assert(ages.every((age) => String(age).startsWith("1")));
});
