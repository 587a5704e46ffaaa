/** A save that waits: for other nodes, or for indexes. */
import assert from "node:assert/strict";
import { failure, load, story, User } from "../story.js";

function saver(store) {
    return async (id, options) => {
        const session = store.openSession();
        await session.store(new User("someone"), id);
        session.advanced.waitForReplicationAfterSaveChanges(options);
        await session.saveChanges();
    };
}

story("a save waits for the nodes that are there", async (world) => {
    const store = world.open();
    const saveAndWait = saver(store);
    const others = world.urls.length - 1;
    await saveAndWait("users/majority", { majority: true });
    if (others) {
        await saveAndWait("users/one", {});
        await saveAndWait("users/all", { replicas: others });
    }
    const session = store.openSession();
    session.advanced.waitForIndexesAfterSaveChanges();
    session.advanced.waitForReplicationAfterSaveChanges({ majority: true });
    await session.store(new User("someone"), "users/both");
    await session.saveChanges();
    assert(await load(store, "users/both"));
});

story("a save does not wait for nodes that do not exist", async (world) => {
    const store = world.open();
    const replicas = world.urls.length;
    const saveAndWait = saver(store);
    const error = await failure(
        "RavenTimeoutException",
        saveAndWait("users/1", { replicas, timeout: 100 }),
    );
    assert.match(error.message, new RegExp(`replicated to ${replicas} servers`));
    assert(await load(store, "users/1"), "it was saved all the same");
    await saveAndWait("users/2", { replicas, timeout: 100, throwOnTimeout: false });
    assert(await load(store, "users/2"));
});

story("with one node of three down, a save waits for a majority and not for all", async (world) => {
    const store = world.open();
    const saveAndWait = saver(store);
    await saveAndWait("users/before", { replicas: 2 });
    await world.ask("kill a follower");
    await saveAndWait("users/majority", { majority: true });
    await saveAndWait("users/one", { replicas: 1 });
    const asked = Date.now();
    await failure("RavenTimeoutException", saveAndWait("users/1", { replicas: 2, timeout: 300 }));
    assert(Date.now() - asked >= 300, "it waited as long as it was told");
    await saveAndWait("users/2", { replicas: 2, timeout: 300, throwOnTimeout: false });
    for (const id of ["users/majority", "users/one", "users/1", "users/2"]) {
        assert(await load(store, id), `${id} was saved`);
    }
});
