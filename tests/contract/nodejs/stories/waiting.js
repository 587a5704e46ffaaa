/** A save that waits: for other nodes, or for indexes. */
import assert from "node:assert/strict";
import { clusterWide, failure, load, saver, story, User } from "../story.js";

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

story("a cluster-wide save waits, too", async (world) => {
    // The client forgets to say so unless it is told whether to write atomically.
    const options = { disableAtomicDocumentWritesInClusterWideTransaction: false };
    const store = world.open();
    const saveAndWait = async (id, replicas) => {
        const session = clusterWide(store, options);
        await session.store(new User("someone"), id);
        session.advanced.waitForReplicationAfterSaveChanges({ replicas, timeout: 100 });
        await session.saveChanges();
    };
    const others = world.urls.length - 1;
    if (others) {
        await saveAndWait("users/1", others);
    }
    await failure("RavenTimeoutException", saveAndWait("users/2", others + 1));
    assert(await load(store, "users/2"), "it was saved all the same");
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
