/** A session: what it tracks, and what of it is sent. */
import assert from "node:assert/strict";
import { failure, load, save, story, User } from "../story.js";

story("what was saved is loaded", async (world) => {
    const store = world.open();
    await save(store, { "users/1": new User("John", 30), "users/2": new User("Jane", 31) });
    const session = store.openSession();
    const john = await session.load("users/1", User);
    assert(john instanceof User);
    assert.deepEqual([john.name, john.age, john.id], ["John", 30, "users/1"]);
    const both = await session.load(["users/1", "users/2", "users/3"], User);
    assert.equal(both["users/1"], john, "one entity per document and session");
    assert.equal(both["users/2"].name, "Jane");
    assert.equal(both["users/3"], null);
    assert.equal(session.advanced.numberOfRequests, 2);
});

story("only what changed is sent", async (world) => {
    const store = world.open();
    await save(store, { "users/1": new User("John", 30), "users/2": new User("Jane", 31) });
    const session = store.openSession();
    const users = await session.load(["users/1", "users/2"], User);
    const before = session.advanced.getChangeVectorFor(users["users/2"]);
    assert(!session.advanced.hasChanges());
    users["users/1"].age = 40;
    assert(session.advanced.hasChanged(users["users/1"]));
    assert(!session.advanced.hasChanged(users["users/2"]));
    const [change] = session.advanced.whatChanged()["users/1"];
    const { fieldName, fieldOldValue, fieldNewValue } = change;
    assert.deepEqual([fieldName, fieldOldValue, fieldNewValue], ["age", 30, 40]);
    await session.saveChanges();
    assert(!session.advanced.hasChanges());
    const again = store.openSession();
    const saved = await again.load(["users/1", "users/2"], User);
    assert.equal(saved["users/1"].age, 40);
    assert.equal(again.advanced.getChangeVectorFor(saved["users/2"]), before);
});

story("a save of nothing asks nobody", async (world) => {
    const session = world.open().openSession();
    await session.saveChanges();
    assert.equal(session.advanced.numberOfRequests, 0);
});

story("documents are deleted by id and by entity", async (world) => {
    const store = world.open();
    await save(store, { "users/1": new User("John"), "users/2": new User("Jane") });
    const session = store.openSession();
    await session.delete("users/1");
    await session.delete(await session.load("users/2", User));
    await session.delete("users/never-there");
    await session.saveChanges();
    assert.equal(await load(store, "users/1"), null);
    assert.equal(await load(store, "users/2"), null);
});

story("a document is stored again after it was deleted", async (world) => {
    const store = world.open();
    await save(store, { "users/1": new User("John") });
    const session = store.openSession();
    await session.delete("users/1");
    await session.saveChanges();
    await session.store(new User("another John"), "users/1");
    await session.saveChanges();
    assert.equal((await load(store, "users/1")).name, "another John");
});

story("ids are the same in every case", async (world) => {
    const store = world.open();
    await save(store, { "users/John": new User("John") });
    assert.equal((await load(store, "USERS/jOHN")).id, "users/John");
});

story("metadata of the user comes back", async (world) => {
    const store = world.open();
    const session = store.openSession();
    const john = new User("John");
    await session.store(john, "users/1");
    session.advanced.getMetadataFor(john)["color"] = "blue";
    await session.saveChanges();
    const again = store.openSession();
    const metadata = again.advanced.getMetadataFor(await again.load("users/1", User));
    assert.deepEqual(
        [metadata["color"], metadata["@collection"], metadata["Raven-Node-Type"]],
        ["blue", "Users", "User"],
    );
    metadata["color"] = "red";
    await again.saveChanges();
    const last = store.openSession();
    assert.equal(last.advanced.getMetadataFor(await last.load("users/1", User))["color"], "red");
});

story("what JavaScript can say in JSON comes back as it was", async (world) => {
    const store = world.open();
    const kept = {
        text: "Zoë, 東京, \u{1F40E}, \"quoted\"\n",
        numbers: [0, -1, 1.5, 2 ** 53 - 1, 1e-7],
        truth: [true, false, null],
        nested: { empty: {}, list: [[], [{}]] },
    };
    const session = store.openSession();
    await session.store({ ...kept, at: new Date(Date.UTC(2026, 1, 3, 4, 5, 6, 789)) }, "things/1");
    await session.saveChanges();
    const { at, text, numbers, truth, nested } = await load(store, "things/1", Object);
    assert.deepEqual({ text, numbers, truth, nested }, kept);
    assert.equal(new Date(at).getTime(), Date.UTC(2026, 1, 3, 4, 5, 6, 789));
});

story("a session tells what it knows of an entity", async (world) => {
    const store = world.open();
    const session = store.openSession();
    const john = new User("John");
    await session.store(john, "users/1");
    await session.saveChanges();
    const { advanced } = session;
    assert.equal(advanced.getDocumentId(john), "users/1");
    assert(advanced.isLoaded("users/1"));
    assert(advanced.getChangeVectorFor(john));
    assert(Math.abs(Date.now() - advanced.getLastModifiedFor(john).getTime()) < 3_600_000);
    assert.equal(advanced.getMetadataFor(john)["@id"], "users/1");
    john.age = 1;
    assert.equal(advanced.whatChangedFor(john).length, 1);
    assert(advanced.getTrackedEntities().has("users/1"));
    advanced.evict(john);
    assert(!advanced.isLoaded("users/1"));
    advanced.clear();
    assert(!advanced.hasChanges());
});

story("an entity is refreshed, or left alone", async (world) => {
    const store = world.open();
    await save(store, { "users/1": new User("John", 30), "users/2": new User("Jane", 31) });
    const session = store.openSession();
    const john = await session.load("users/1", User);
    const jane = await session.load("users/2", User);
    await save(store, { "users/1": new User("John", 40) });
    await session.advanced.refresh(john);
    assert.equal(john.age, 40);
    session.advanced.ignoreChangesFor(jane);
    jane.age = 99;
    await session.saveChanges();
    assert.equal((await load(store, "users/2")).age, 31);
});

story("a session without tracking asks again, and saves nothing", async (world) => {
    const store = world.open();
    await save(store, { "users/1": new User("John", 30) });
    const session = store.openSession({ noTracking: true });
    const john = await session.load("users/1", User);
    await save(store, { "users/1": new User("John", 40) });
    assert.equal((await session.load("users/1", User)).age, 40);
    assert(!session.advanced.isLoaded("users/1"));
    john.age = 99;
    await session.saveChanges();
    assert.equal((await load(store, "users/1")).age, 40);
    await failure("InvalidOperationException", session.store(new User("Jane"), "users/2"));
});

story("a batch is all or nothing", async (world) => {
    const store = world.open();
    await save(store, { "users/1": new User("John") });
    const session = store.openSession();
    await session.store(new User("Jane"), "users/2");
    await session.store(new User("no John"), "users/1", { changeVector: "" });
    await failure("ConcurrencyException", session.saveChanges());
    assert.equal(await load(store, "users/2"), null);
    assert.equal((await load(store, "users/1")).name, "John");
});
