/** What a client sees of a leader that dies: nothing but time. */
import assert from "node:assert/strict";
import { NextIdentityForOperation, PutCompareExchangeValueOperation } from "ravendb";
import { clusterWide, load, save, story, User } from "../story.js";

/** The client goes from node to node by itself; an election takes longer than one round of them. */
async function insist(act) {
    const deadline = Date.now() + 30_000;
    for (;;) {
        try {
            return await act();
        } catch (error) {
            const isPassing = ["AllTopologyNodesDownException", "NoLeaderException"];
            if (!isPassing.includes(error.name) || Date.now() > deadline) {
                throw error;
            }
        }
    }
}

story("a leader is killed, and its client goes on", async (world) => {
    const store = world.open();
    await save(store, { "users/1": new User("John", 0) });
    const before = await store.maintenance.send(new NextIdentityForOperation("bills"));
    const kept = await store.operations.send(
        new PutCompareExchangeValueOperation("lock", "mine", 0),
    );
    const open = clusterWide(store);
    const john = await open.load("users/1", User);

    await world.ask("kill the leader");

    john.age = 1;
    await insist(() => open.saveChanges());
    assert.equal((await insist(() => load(store, "users/1"))).age, 1);
    await insist(() => save(store, { "users/2": new User("Jane", 1) }));
    assert.equal((await load(store, "users/2")).name, "Jane");
    const after = await insist(() =>
        store.maintenance.send(new NextIdentityForOperation("bills")),
    );
    assert(after > before);
    const refused = await insist(() =>
        store.operations.send(new PutCompareExchangeValueOperation("lock", "yours", 0)),
    );
    assert.deepEqual([refused.successful, refused.index], [false, kept.index]);
});

story("while a leader dies, what was counted is neither lost nor counted twice", async (world) => {
    const store = world.open();
    const first = clusterWide(store);
    await first.store(new User("counter", 0), "users/counter");
    await first.saveChanges();
    let certain = 0;
    let uncertain = 0;
    const count = async () => {
        const session = clusterWide(store);
        const counter = await insist(() => session.load("users/counter", User));
        const before = counter.age;
        assert(before >= certain && before <= certain + uncertain, `${before} of ${certain}`);
        counter.age += 1;
        try {
            await session.saveChanges();
            certain += 1;
        } catch (error) {
            // Told that the outcome is open, or refused because its own first sending had arrived.
            uncertain += 1;
            console.log(`${before}: ${error.name}: ${error.message.slice(0, 200)}`);
        }
    };
    while (certain < 10) {
        await count();
    }
    const killed = world.ask("kill the leader");
    while (certain < 40) {
        await count();
    }
    await killed;
    const { age } = await load(store, "users/counter");
    assert(age >= certain && age <= certain + uncertain, `${age} of ${certain} and ${uncertain}`);
});
