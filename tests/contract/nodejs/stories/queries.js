/** Queries that need no index: pages, ids, projections, includes, streams, and what they change. */
import assert from "node:assert/strict";
import { DeleteByQueryOperation, PatchByQueryOperation } from "ravendb";
import { load, save, story, User } from "../story.js";

const four = async (store) => {
    const user = (name, age, boss) => Object.assign(new User(name, age), { boss });
    await save(store, { "users/1": user("Ann", 40, null) });
    await save(store, { "users/2": user("Bo", 9, "users/1") });
    await save(store, { "users/3": user("Cy", 10, "users/2") });
    await save(store, { "users/4": user("Di", 11, "users/1") });
};
const names = (found) => found.map((user) => user.name);

story("a collection is read page by page", async (world) => {
    const store = world.open();
    await four(store);
    const session = store.openSession();
    assert.deepEqual(names(await session.query(User).all()), ["Ann", "Bo", "Cy", "Di"]);
    assert.deepEqual(names(await session.query(User).skip(1).take(2).all()), ["Bo", "Cy"]);
    assert.equal(await session.query(User).count(), 4);
    let statistics;
    await session.query(User).statistics((told) => (statistics = told)).first();
    assert.deepEqual([statistics.totalResults, statistics.isStale], [4, false]);
});

story("documents are found by their ids", async (world) => {
    const store = world.open();
    await four(store);
    const session = store.openSession();
    const byIds = session.query(User).whereIn("id()", ["users/3", "users/1", "none"]);
    assert.deepEqual(names(await byIds.all()), ["Ann", "Cy"]);
    assert.equal((await session.query(User).whereStartsWith("id()", "users/").all()).length, 4);
});

story("fields are selected, and what scripts make of them", async (world) => {
    const store = world.open();
    await four(store);
    const session = store.openSession();
    const selected = await session.query(User).selectFields(["name", "age"]).first();
    assert.deepEqual([selected.name, selected.age], ["Ann", 40]);
    const text = "from Users as u load u.boss as b select { n: u.name + $x, boss: b?.name ?? null }";
    const made = await session.advanced.rawQuery(text).addParameter("x", "!").all();
    assert.deepEqual([made[1].n, made[1].boss, made[0].boss], ["Bo!", "Ann", null]);
});

story("what a query includes needs no request", async (world) => {
    const store = world.open();
    await four(store);
    const session = store.openSession();
    await session.query(User).include("boss").skip(1).take(1).all();
    const requests = session.advanced.numberOfRequests;
    assert.equal((await session.load("users/1", User)).name, "Ann");
    assert.equal(session.advanced.numberOfRequests, requests);
});

story("the results of a query are streamed", async (world) => {
    const store = world.open();
    await four(store);
    const session = store.openSession();
    let statistics;
    const stream = await session.advanced.stream(session.query(User), (told) => (statistics = told));
    const found = [];
    for await (const item of stream) found.push(item.document.name);
    assert.deepEqual(found, ["Ann", "Bo", "Cy", "Di"]);
    assert.equal(statistics.totalResults, 4);
});

story("documents are deleted and patched by a query", async (world) => {
    const store = world.open();
    await four(store);
    const wait = async (operation) => (await store.operations.send(operation)).waitForCompletion();
    await wait(new DeleteByQueryOperation("from Users where id() = 'users/1'"));
    await wait(new PatchByQueryOperation("from Users as u update { u.age += 1; }"));
    assert.equal(await load(store, "users/1"), null);
    assert.equal((await load(store, "users/2")).age, 10);
});
