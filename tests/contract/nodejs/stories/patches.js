/** Patches: by the session, by an operation, and in one batch with what else is saved. */
import assert from "node:assert/strict";
import { PatchOperation, PatchRequest } from "ravendb";
import { failure, load, save, story, User } from "../story.js";

const withScript = (script, values = {}) => {
    const request = PatchRequest.forScript(script);
    request.values = values;
    return request;
};

story("a session sets and increments fields it has not loaded", async (world) => {
    const store = world.open();
    await save(store, { "users/1": new User("John", 41) });
    const session = store.openSession();
    session.advanced.patch("users/1", "name", "Jane");
    session.advanced.increment("users/1", "age", 1);
    await session.saveChanges();
    const user = await load(store, "users/1");
    assert.deepEqual([user.name, user.age], ["Jane", 42]);
});

story("a session adds to an array and takes from it", async (world) => {
    const store = world.open();
    await save(store, { "users/1": Object.assign(new User("John"), { tags: ["a"] }) });
    const session = store.openSession();
    session.advanced.patchArray("users/1", "tags", (tags) => tags.push("b", "c"));
    await session.saveChanges();
    assert.deepEqual((await load(store, "users/1")).tags, ["a", "b", "c"]);
    const other = store.openSession();
    other.advanced.patchArray("users/1", "tags", (tags) => tags.removeAt(0));
    await other.saveChanges();
    assert.deepEqual((await load(store, "users/1")).tags, ["b", "c"]);
});

story("a script changes a document and says what became of it", async (world) => {
    const store = world.open();
    await save(store, { "users/1": new User("John", 20) });
    const grow = withScript("this.age += args.years", { years: 22 });
    const patch = async (id, request) =>
        (await store.operations.send(new PatchOperation(id, null, request))).status;
    assert.equal(await patch("users/1", grow), "Patched");
    assert.equal((await load(store, "users/1")).age, 42);
    assert.equal(await patch("users/1", withScript("this.age = 42")), "NotModified");
    assert.equal(await patch("users/none", grow), "DocumentDoesNotExist");
    await failure("JavaScriptException", patch("users/1", withScript("throw 'no'")));
});

story("a script reads, puts and deletes other documents", async (world) => {
    const store = world.open();
    await save(store, { "users/1": new User("John"), "users/2": new User("Jane") });
    const script = `
        put("users/3", { name: load("users/2").name + "'s friend", "@metadata": getMetadata(this) });
        del("users/2");`;
    await store.operations.send(new PatchOperation("users/1", null, withScript(script)));
    assert.equal((await load(store, "users/3")).name, "Jane's friend");
    assert.equal(await load(store, "users/2"), null);
});

story("a batch with a patch that fails saves nothing", async (world) => {
    const store = world.open();
    await save(store, { "users/1": new User("John", 1) });
    const session = store.openSession();
    await session.store(new User("never"), "users/2");
    session.advanced.patch("users/1", "age.of.what", 5);
    await failure("JavaScriptException", session.saveChanges());
    assert.equal(await load(store, "users/2"), null);
    assert.equal((await load(store, "users/1")).age, 1);
});

story("many increments at once each count", async (world) => {
    const store = world.open();
    await save(store, { "users/1": new User("John", 0) });
    const one = async () => {
        const session = store.openSession();
        session.advanced.increment("users/1", "age", 1);
        await session.saveChanges();
    };
    await Promise.all(Array.from({ length: 20 }, one));
    assert.equal((await load(store, "users/1")).age, 20);
});
