/** The store as a whole: databases, statistics, and reads that go to every node. */
import assert from "node:assert/strict";
import {
    CreateDatabaseOperation,
    DeleteDatabasesOperation,
    GetCollectionStatisticsOperation,
    GetDatabaseNamesOperation,
    GetDatabaseRecordOperation,
    GetDetailedStatisticsOperation,
    GetStatisticsOperation,
} from "ravendb";
import { failure, load, save, story, User } from "../story.js";

story("databases come and go", async (world) => {
    const { server } = world.open().maintenance;
    const name = `${world.database}-second`;
    const names = () => server.send(new GetDatabaseNamesOperation(0, 1_000));
    await server.send(new CreateDatabaseOperation({ databaseName: name }));
    assert((await names()).includes(name));
    const again = server.send(new CreateDatabaseOperation({ databaseName: name }));
    assert.match((await failure("ConcurrencyException", again)).message, /already exists/);
    await save(world.open({}, { database: name }), { "users/1": new User("there") });
    await server.send(new DeleteDatabasesOperation({ databaseNames: [name], hardDelete: true }));
    assert(!(await names()).includes(name));
});

story("a missing database is named", async (world) => {
    const store = world.open({}, { database: "no-such-database" });
    const error = await failure("DatabaseDoesNotExistException", load(store, "users/1"));
    assert.match(error.message, /no-such-database/);
});

story("statistics count what is there", async (world) => {
    const store = world.open();
    await save(store, { "users/1": new User("John"), "users/2": new User("Jane") });
    const statistics = await store.maintenance.send(new GetStatisticsOperation());
    assert.equal(statistics.countOfDocuments, 2);
    assert.equal(statistics.countOfIndexes, 0);
    const collections = await store.maintenance.send(new GetCollectionStatisticsOperation());
    assert.deepEqual({ ...collections.collections }, { Users: 2 });
    const detailed = await store.maintenance.send(new GetDetailedStatisticsOperation());
    assert.deepEqual([detailed.countOfIdentities, detailed.countOfCompareExchange], [0, 0]);
});

story("every node is asked by its tag", async (world) => {
    const store = world.open();
    await save(store, { "users/1": new User("John") });
    const { topology } = await store.maintenance.server.send(
        new GetDatabaseRecordOperation(world.database),
    );
    assert.equal(topology.members.length, world.urls.length);
    for (const tag of topology.members) {
        const asked = new GetStatisticsOperation("how-many", tag);
        assert.equal((await store.maintenance.send(asked)).countOfDocuments, 1);
    }
});

story("a store may keep to the nodes it was given", async (world) => {
    const store = world.open({ disableTopologyUpdates: true });
    await save(store, { "users/1": new User("John") });
    assert.equal((await load(store, "users/1")).name, "John");
    const node = await store.openSession().advanced.getCurrentSessionNode();
    assert.equal(node.url, world.urls[0]);
    assert.equal(node.clusterTag, "A");
});

story("a client that inflates nothing reads the same", async (world) => {
    const store = world.open({ useHttpDecompression: false });
    await save(store, { "users/1": new User("J".repeat(10_000)) });
    assert.equal((await load(store, "users/1")).name.length, 10_000);
});

async function readFromEveryNode(world, readBalanceBehavior) {
    const store = world.open({ readBalanceBehavior });
    for (let age = 0; age < 12; age++) {
        await save(store, { "users/1": new User("John", age) });
        assert.equal((await load(store, "users/1")).age, age);
    }
}

story("what was saved is read from one node after another", async (world) => {
    await readFromEveryNode(world, "RoundRobin");
});

story("what was saved is read from the fastest node", async (world) => {
    await readFromEveryNode(world, "FastestNode");
});

story("each of several sessions keeps to its node", async (world) => {
    const store = world.open({ loadBalanceBehavior: "UseSessionContext" });
    const contexts = ["a", "b", "c", "d"];
    for (const context of contexts) {
        const session = store.openSession();
        session.advanced.sessionInfo.setContext(context);
        await session.store(new User(context), `users/${context}`);
        await session.saveChanges();
    }
    const ids = contexts.map((context) => `users/${context}`);
    const users = await store.openSession().load(ids, User);
    assert.deepEqual(Object.values(users).map((user) => user.name), contexts);
});
