/** A cluster of three nodes of which one is dead. */
import assert from "node:assert/strict";
import { failure, load, save, saver, story, User } from "../story.js";

story("with one node of three down, a save waits for a majority and not for all", async (world) => {
    const store = world.open();
    const saveAndWait = saver(store);
    await world.ask("let a follower be dead");
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

story("a client that knows only a dead node and a living one starts", async (world) => {
    const { dead, alive } = await world.ask("let a follower be dead");
    const store = world.open({}, { urls: [dead, alive] });
    await save(store, { "users/1": new User("John", 0) });
    assert.equal((await load(store, "users/1")).name, "John");
});
