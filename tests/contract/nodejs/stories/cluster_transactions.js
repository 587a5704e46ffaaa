/** Cluster-wide sessions: documents, their atomic guards, and compare-exchange values at once. */
import assert from "node:assert/strict";
import { GetCompareExchangeValuesOperation } from "ravendb";
import { clusterWide, failure, load, save, story, User } from "../story.js";

const REFUSED = "ClusterTransactionConcurrencyException";

async function create(store, id, user, options) {
    const session = clusterWide(store, options);
    await session.store(user, id);
    await session.saveChanges();
}

const WITHOUT_GUARDS = { disableAtomicDocumentWritesInClusterWideTransaction: true };

async function guards(store) {
    const values = await store.operations.send(
        new GetCompareExchangeValuesOperation({ startWith: "rvn-atomic/" }),
    );
    return Object.keys(values);
}

story("a document and a value are created together, or neither", async (world) => {
    const store = world.open();
    const sign_up = async (id) => {
        const session = clusterWide(store);
        await session.store(new User("John"), id);
        session.advanced.clusterTransaction.createCompareExchangeValue("names/John", id);
        await session.saveChanges();
    };
    await sign_up("users/1");
    const error = await failure(REFUSED, sign_up("users/2"));
    assert.match(error.message, /names\/John/);
    assert.equal((await load(store, "users/1")).name, "John");
    assert.equal(await load(store, "users/2"), null);
});

story("a value is created, changed and deleted in sessions", async (world) => {
    const store = world.open();
    const first = clusterWide(store);
    first.advanced.clusterTransaction.createCompareExchangeValue("lock", { holder: "me" });
    await first.saveChanges();

    const second = clusterWide(store);
    const held = await second.advanced.clusterTransaction.getCompareExchangeValue("lock");
    assert.equal(held.value.holder, "me");
    // The client sees another object, and not a change inside of the one it has read.
    held.value = { holder: "you" };
    await second.saveChanges();
    held.value = { holder: "you again" };
    await second.saveChanges();

    const third = clusterWide(store).advanced.clusterTransaction;
    const values = await third.getCompareExchangeValues(["lock", "none"]);
    assert.equal(values["lock"].value.holder, "you again");
    assert.equal(values["none"] ?? null, null);

    const last = clusterWide(store);
    const { clusterTransaction } = last.advanced;
    clusterTransaction.deleteCompareExchangeValue(
        await clusterTransaction.getCompareExchangeValue("lock"),
    );
    await last.saveChanges();
    const reader = clusterWide(store).advanced.clusterTransaction;
    assert.equal(await reader.getCompareExchangeValue("lock"), null);
});

story("values are read page by page in a session", async (world) => {
    const store = world.open();
    const session = clusterWide(store);
    for (const key of ["a/1", "a/2", "a/3", "b/1"]) {
        session.advanced.clusterTransaction.createCompareExchangeValue(key, new User(key, 0));
    }
    await session.saveChanges();
    const reader = clusterWide(store);
    const { clusterTransaction } = reader.advanced;
    const page = await clusterTransaction.getCompareExchangeValues("a/", User, 1, 2);
    assert.deepEqual(Object.keys(page), ["a/2", "a/3"]);
    page["a/2"].value = new User("changed", 1);
    await reader.saveChanges();
    const again = clusterWide(store).advanced.clusterTransaction;
    const values = await again.getCompareExchangeValues("a/", User);
    const names = Object.values(values).map(({ value }) => value.name);
    assert.deepEqual(names, ["a/1", "changed", "a/3"]);
});

story("a cluster-wide session that failed may be saved once the reason is gone", async (world) => {
    const store = world.open();
    await create(store, "users/1", new User("in the way"));
    const session = clusterWide(store);
    await session.store(new User("John"), "users/1");
    session.advanced.clusterTransaction.createCompareExchangeValue("names/John", "users/1");
    await failure(REFUSED, session.saveChanges());
    const other = clusterWide(store);
    await other.delete("users/1");
    await other.saveChanges();
    await session.saveChanges();
    assert.equal((await load(store, "users/1")).name, "John");
});

story("in a cluster-wide session only ids that end with a bar are finished", async (world) => {
    const store = world.open();
    const session = clusterWide(store);
    const users = [new User("one"), new User("two")];
    for (const user of users) {
        await session.store(user, "users|");
    }
    await session.saveChanges();
    assert.deepEqual(users.map((user) => user.id), ["users/1", "users/2"]);
    const other = clusterWide(store);
    await other.store(new User("three"), "users/");
    const error = await failure("BadRequestException", other.saveChanges());
    assert.match(error.message, /users\//);
});

story("a value that changed since it was read is not changed", async (world) => {
    const store = world.open();
    const creator = clusterWide(store);
    creator.advanced.clusterTransaction.createCompareExchangeValue("lock", { holder: "me" });
    await creator.saveChanges();
    const sessions = [clusterWide(store), clusterWide(store)];
    for (const [number, session] of sessions.entries()) {
        const held = await session.advanced.clusterTransaction.getCompareExchangeValue("lock");
        held.value = { holder: `session ${number}` };
    }
    await sessions[0].saveChanges();
    await failure(REFUSED, sessions[1].saveChanges());
    const reader = clusterWide(store).advanced.clusterTransaction;
    assert.equal((await reader.getCompareExchangeValue("lock")).value.holder, "session 0");
});

story("a loaded document is saved once of two times", async (world) => {
    const store = world.open();
    await create(store, "users/1", new User("John", 30));
    const first = clusterWide(store);
    const second = clusterWide(store);
    (await first.load("users/1", User)).age = 31;
    (await second.load("users/1", User)).age = 32;
    await first.saveChanges();
    const error = await failure(REFUSED, second.saveChanges());
    assert.match(error.message, /rvn-atomic\/users\/1/);
    assert.equal((await load(store, "users/1")).age, 31);
});

story("one session saves a document again and again", async (world) => {
    const store = world.open();
    const session = clusterWide(store);
    const john = new User("John", 0);
    await session.store(john, "users/1");
    for (let age = 1; age <= 3; age++) {
        await session.saveChanges();
        john.age = age;
    }
    await session.saveChanges();
    assert.equal((await load(store, "users/1")).age, 3);
});

story("a guarded document is not created twice", async (world) => {
    const store = world.open();
    await create(store, "users/1", new User("John"));
    assert.deepEqual(await guards(store), ["rvn-atomic/users/1"]);
    const error = await failure(REFUSED, create(store, "users/1", new User("no John")));
    assert.match(error.message, /rvn-atomic\/users\/1/);
});

story("a deleted document takes its guard along, and is created again", async (world) => {
    const store = world.open();
    await create(store, "users/1", new User("John"));
    const session = clusterWide(store);
    await session.delete(await session.load("users/1", User));
    await session.saveChanges();
    assert.equal(await load(store, "users/1"), null);
    assert.deepEqual(await guards(store), []);
    await create(store, "users/1", new User("another John"));
    assert.equal((await load(store, "users/1")).name, "another John");
});

story("a cluster-wide delete by id takes the guard as it is", async (world) => {
    const store = world.open();
    await create(store, "users/1", new User("John"));
    const session = clusterWide(store);
    await session.delete("users/1");
    await session.saveChanges();
    assert.equal(await load(store, "users/1"), null);
    assert.deepEqual(await guards(store), []);
});

story("a late cluster-wide delete is refused", async (world) => {
    const store = world.open();
    await create(store, "users/1", new User("John", 30));
    const late = clusterWide(store);
    const john = await late.load("users/1", User);
    const timely = clusterWide(store);
    (await timely.load("users/1", User)).age = 31;
    await timely.saveChanges();
    await late.delete(john);
    await failure(REFUSED, late.saveChanges());
    assert.equal((await load(store, "users/1")).age, 31);
});

story("a guard that outlived its document proves who looked for it", async (world) => {
    const store = world.open();
    await create(store, "users/1", new User("John"));
    const single = store.openSession();
    await single.delete("users/1"); // of one document, so its guard stays
    await single.saveChanges();
    assert.deepEqual(await guards(store), ["rvn-atomic/users/1"]);

    await failure(REFUSED, create(store, "users/1", new User("did not look")));
    const session = clusterWide(store);
    assert.equal(await session.load("users/1", User), null);
    await session.store(new User("looked"), "users/1");
    await session.saveChanges();
    assert.equal((await load(store, "users/1")).name, "looked");
});

story("a missing guard is looked for among several documents", async (world) => {
    const store = world.open();
    await create(store, "users/1", new User("John"));
    await create(store, "users/2", new User("Jane"));
    const single = store.openSession();
    await single.delete("users/1");
    await single.saveChanges();
    const session = clusterWide(store);
    const users = await session.load(["users/1", "users/2", "users/3"], User);
    assert.equal(users["users/1"] ?? null, null);
    assert.equal(users["users/2"].name, "Jane");
    for (const id of ["users/1", "users/3"]) {
        await session.store(new User("looked"), id);
    }
    users["users/2"].name = "Jane, too";
    await session.saveChanges();
    const names = await store.openSession().load(["users/1", "users/2", "users/3"], User);
    assert.deepEqual(
        Object.values(names).map((user) => user.name).sort(),
        ["Jane, too", "looked", "looked"],
    );
});

story("a document of a plain session is saved by a cluster-wide one", async (world) => {
    const store = world.open();
    await save(store, { "users/1": new User("John", 30) });
    const session = clusterWide(store);
    const john = await session.load("users/1", User);
    john.age = 31;
    await session.saveChanges();
    john.age = 32;
    await session.saveChanges();
    assert.equal((await load(store, "users/1")).age, 32);
});

story("a plain session saves what a cluster-wide one has stored", async (world) => {
    const store = world.open();
    await create(store, "users/1", new User("John", 30));
    const plain = store.openSession();
    const john = await plain.load("users/1", User);
    john.age = 31;
    await plain.saveChanges();
    john.age = 32;
    await plain.saveChanges();
    const session = clusterWide(store);
    (await session.load("users/1", User)).age += 1;
    await session.saveChanges();
    assert.equal((await load(store, "users/1")).age, 33);
});

story("a plain session that read under another guard is refused", async (world) => {
    const store = world.open();
    await create(store, "users/1", new User("John", 30));
    const plain = store.openSession();
    (await plain.load("users/1", User)).age = 31;
    const session = clusterWide(store);
    (await session.load("users/1", User)).age = 32;
    await session.saveChanges();
    const error = await failure("ConcurrencyException", plain.saveChanges());
    assert.match(error.message, /compare exchange guard \('rvn-atomic\/users\/1'\)/);
    assert.equal((await load(store, "users/1")).age, 32);
});

story("without atomic writes there are no guards", async (world) => {
    const store = world.open();
    await create(store, "users/1", new User("John", 30), WITHOUT_GUARDS);
    assert.deepEqual(await guards(store), []);
    const first = clusterWide(store, WITHOUT_GUARDS);
    const second = clusterWide(store, WITHOUT_GUARDS);
    (await first.load("users/1", User)).age = 31;
    (await second.load("users/1", User)).age = 32;
    await first.saveChanges();
    await second.saveChanges();
    assert.equal((await load(store, "users/1")).age, 32);
});

story("a write without a guard leaves the guard to who comes after", async (world) => {
    const store = world.open();
    await create(store, "users/1", new User("John", 30));
    const without = clusterWide(store, WITHOUT_GUARDS);
    (await without.load("users/1", User)).age = 31;
    await without.saveChanges();
    const session = clusterWide(store);
    (await session.load("users/1", User)).age += 1;
    await session.saveChanges();
    assert.equal((await load(store, "users/1")).age, 32);
});

story("nobody changes a guard by hand", async (world) => {
    const store = world.open();
    await create(store, "users/1", new User("John"));
    const session = clusterWide(store);
    session.advanced.clusterTransaction.createCompareExchangeValue("rvn-atomic/users/2", "mine");
    await failure("CompareExchangeInvalidKeyException", session.saveChanges());
    const reader = clusterWide(store).advanced.clusterTransaction;
    await failure(
        "InvalidOperationException",
        reader.getCompareExchangeValue("rvn-atomic/users/1"),
    );
});

story("what a cluster-wide session wrote is read by the next one at once", async (world) => {
    const store = world.open({ readBalanceBehavior: "RoundRobin" });
    await create(store, "users/1", new User("John", 0));
    for (let age = 1; age <= 6; age++) {
        const session = clusterWide(store);
        const john = await session.load("users/1", User);
        assert.equal(john.age, age - 1);
        john.age = age;
        await session.saveChanges();
    }
});
