/** Optimistic concurrency: of two who read the same, the second is told. */
import assert from "node:assert/strict";
import { failure, load, save, story, User } from "../story.js";

story("the second of two writers is refused by name", async (world) => {
    const store = world.open();
    await save(store, { "users/1": new User("John", 30) });
    const first = store.openSession();
    const second = store.openSession();
    second.advanced.useOptimisticConcurrency = true;
    const theirs = await first.load("users/1", User);
    const mine = await second.load("users/1", User);
    theirs.age = 31;
    mine.age = 32;
    await first.saveChanges();
    const error = await failure("ConcurrencyException", second.saveChanges());
    assert.match(error.message, /users\/1/);
    assert.match(error.message, /Optimistic concurrency violation/);
    assert.equal((await load(store, "users/1")).age, 31);
});

story("a new document must not exist", async (world) => {
    const store = world.open();
    await save(store, { "users/1": new User("John") });
    const session = store.openSession();
    session.advanced.useOptimisticConcurrency = true;
    await session.store(new User("no John"), "users/1");
    const error = await failure("ConcurrencyException", session.saveChanges());
    assert.match(error.message, /expecting new document/);
});

story("a store under another change vector is refused", async (world) => {
    const store = world.open();
    await save(store, { "users/1": new User("John") });
    const session = store.openSession();
    await session.store(new User("no John"), "users/1", { changeVector: "A:999999-nobody" });
    await failure("ConcurrencyException", session.saveChanges());
});

story("a delete under another change vector is refused", async (world) => {
    const store = world.open();
    await save(store, { "users/1": new User("John", 30) });
    const session = store.openSession();
    const known = session.advanced.getChangeVectorFor(await session.load("users/1", User));
    await save(store, { "users/1": new User("John", 31) });
    const late = store.openSession();
    await late.delete("users/1", known);
    await failure("ConcurrencyException", late.saveChanges());
    const reader = store.openSession();
    const current = reader.advanced.getChangeVectorFor(await reader.load("users/1", User));
    const timely = store.openSession();
    await timely.delete("users/1", current);
    await timely.saveChanges();
    assert.equal(await load(store, "users/1"), null);
});

story("optimistic concurrency is a convention, too", async (world) => {
    const store = world.open({ useOptimisticConcurrency: true });
    await save(store, { "users/1": new User("John") });
    await failure("ConcurrencyException", save(store, { "users/1": new User("no John") }));
});

story("without optimistic concurrency the last writer wins", async (world) => {
    const store = world.open();
    await save(store, { "users/1": new User("John", 30) });
    const first = store.openSession();
    const second = store.openSession();
    (await first.load("users/1", User)).age = 31;
    (await second.load("users/1", User)).age = 32;
    await first.saveChanges();
    await second.saveChanges();
    assert.equal((await load(store, "users/1")).age, 32);
});
