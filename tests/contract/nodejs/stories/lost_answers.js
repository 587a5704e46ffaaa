/** An answer is lost on its way, and the client sends the request again, to another node. */
import assert from "node:assert/strict";
import { NextIdentityForOperation, PutCompareExchangeValueOperation } from "ravendb";
import { clusterWide, failure, load, save, story, User } from "../story.js";

story("a number whose answer was lost is given again to who asked for it", async (world) => {
    const { maintenance } = world.open();
    assert.equal(await maintenance.send(new NextIdentityForOperation("bills")), 1);
    await world.ask("lose POST /identity/next");
    // The client asks all nodes at once then, with the id it gave the request at first.
    assert.equal(await maintenance.send(new NextIdentityForOperation("bills")), 2);
    assert.equal(await maintenance.send(new NextIdentityForOperation("bills")), 3);
});

story("a cluster-wide save whose answer was lost is done once", async (world) => {
    const store = world.open();
    const creator = clusterWide(store);
    await creator.store(new User("John", 0), "users/1");
    await creator.saveChanges();
    const session = clusterWide(store);
    (await session.load("users/1", User)).age += 1;
    await world.ask("lose POST /bulk_docs");
    await failure("ClusterTransactionConcurrencyException", session.saveChanges());
    const statuses = (await world.ask("sent /bulk_docs")).map(([status]) => status);
    assert.deepEqual(statuses, [201, 409]);
    assert.equal((await load(store, "users/1")).age, 1);
});

story("an optimistic save whose answer was lost is done once", async (world) => {
    const store = world.open();
    await save(store, { "users/1": new User("John", 0) });
    const session = store.openSession();
    session.advanced.useOptimisticConcurrency = true;
    (await session.load("users/1", User)).age += 1;
    await world.ask("lose POST /bulk_docs");
    await failure("ConcurrencyException", session.saveChanges());
    assert.equal((await load(store, "users/1")).age, 1);
});

story("a value whose answer was lost is set once", async (world) => {
    const store = world.open();
    await load(store, "users/1");
    await world.ask("lose PUT /cmpxchg");
    const put = new PutCompareExchangeValueOperation("lock", "mine", 0);
    const again = await store.operations.send(put);
    const [[, first]] = await world.ask("sent /cmpxchg");
    assert.deepEqual([first.Successful, again.successful], [true, false]);
    assert.deepEqual([again.value, again.index], ["mine", first.Index]);
});
