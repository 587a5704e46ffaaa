/** Who makes an id: the client, the server, or the cluster. */
import assert from "node:assert/strict";
import {
    GetIdentitiesOperation,
    NextIdentityForOperation,
    SeedIdentityForOperation,
} from "ravendb";
import { close, load, save, story, User } from "../story.js";

story("ids of two stores are never the same", async (world) => {
    const stores = [world.open(), world.open()];
    const ids = [];
    const write = async (store) => {
        for (let batch = 0; batch < 3; batch++) {
            const session = store.openSession();
            const users = Array.from({ length: 15 }, () => new User("someone"));
            for (const user of users) {
                await session.store(user);
            }
            await session.saveChanges();
            ids.push(...users.map((user) => user.id));
        }
    };
    await Promise.all(stores.map(write));
    assert.equal(new Set(ids).size, 90);
    assert(ids.every((id) => /^users\/\d+-[A-Z]+$/.test(id)), ids.join());
});

story("ids that a closed store did not use are given again", async (world) => {
    const first = world.open();
    const session = first.openSession();
    const john = new User("John");
    await session.store(john);
    await session.saveChanges();
    await close(first);
    assert.match(john.id, /^users\/1-/);
    const jane = new User("Jane");
    await world.open().openSession().store(jane);
    assert.match(jane.id, /^users\/2-/);
});

story("an id that ends with a slash is completed by the server", async (world) => {
    const store = world.open();
    const session = store.openSession();
    const users = [new User("one"), new User("two")];
    for (const user of users) {
        await session.store(user, "users/");
    }
    await session.saveChanges();
    for (const user of users) {
        assert.match(user.id, /^users\/\d{19}-[A-Z]+$/);
        assert.equal((await load(store, user.id)).name, user.name);
    }
    assert.notEqual(users[0].id, users[1].id);
});

story("an id that ends with a bar takes the next number", async (world) => {
    const store = world.open();
    await store.maintenance.send(new SeedIdentityForOperation("users", 1990));
    const ids = [];
    for (const _ of [1, 2]) {
        const session = store.openSession();
        const user = new User("someone");
        await session.store(user, "users|");
        await session.saveChanges();
        ids.push(user.id);
    }
    assert.deepEqual(ids, ["users/1991", "users/1992"]);
});

story("identities are taken, set and listed", async (world) => {
    const { maintenance } = world.open();
    assert.equal(await maintenance.send(new NextIdentityForOperation("bills")), 1);
    assert.equal(await maintenance.send(new NextIdentityForOperation("Bills|")), 2);
    assert.equal(await maintenance.send(new SeedIdentityForOperation("bills", 10)), 10);
    assert.equal(await maintenance.send(new SeedIdentityForOperation("bills", 5)), 10);
    assert.equal(await maintenance.send(new SeedIdentityForOperation("bills", 5, true)), 5);
    assert.equal(await maintenance.send(new NextIdentityForOperation("bills")), 6);
    await maintenance.send(new NextIdentityForOperation("orders"));
    const listed = await maintenance.send(new GetIdentitiesOperation());
    assert.deepEqual({ ...listed }, { "bills|": 6, "orders|": 1 });
});

story("no identity is given twice", async (world) => {
    const stores = [world.open(), world.open()];
    const takes = Array.from({ length: 40 }, (_, number) =>
        stores[number % 2].maintenance.send(new NextIdentityForOperation("tickets")),
    );
    const taken = (await Promise.all(takes)).sort((one, other) => one - other);
    assert.deepEqual(taken, Array.from({ length: 40 }, (_, number) => number + 1));
});

story("an entity without a collection gets an id of the server", async (world) => {
    const store = world.open();
    const session = store.openSession();
    const thing = { name: "thing" };
    await session.store(thing, null);
    await session.saveChanges();
    assert(session.advanced.getDocumentId(thing));
    await save(store, { "things/1": { name: "named" } });
    assert.equal((await load(store, "things/1", Object)).name, "named");
});
