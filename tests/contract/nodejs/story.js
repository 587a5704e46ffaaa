/**
 * What a story is, and what it may use.
 *
 * A story is named by what must hold. It gets a world with an empty database, and throws if that
 * does not hold. Stores are closed after it, so that none of its connections outlives it.
 */
import assert from "node:assert/strict";
import { DocumentStore } from "ravendb";

/** Stories by name; each file under `stories/` adds its own when it is imported. */
export const stories = new Map();

/** Tell a story. `tell` is an async function of a World. */
export function story(name, tell) {
    assert(!stories.has(name), `two stories are named '${name}'`);
    stories.set(name, tell);
}

export class User {
    constructor(name, age) {
        this.name = name;
        this.age = age;
    }
}

export class Company {
    constructor(name, addressId) {
        this.name = name;
        this.addressId = addressId;
    }
}

export class Address {
    constructor(city) {
        this.city = city;
    }
}

/** Nodes with an empty database, and whoever started them. */
export class World {
    #stores = [];
    #ask;

    constructor({ urls, database, ask }) {
        this.urls = urls;
        this.database = database;
        this.#ask = ask;
    }

    /** A store of the official client; `conventions` are set before it is used. */
    open(conventions = {}, { urls = this.urls, database = this.database } = {}) {
        const store = new DocumentStore(urls, database);
        Object.assign(store.conventions, conventions);
        for (const type of [User, Company, Address]) {
            store.conventions.registerEntityType(type);
        }
        store.initialize();
        this.#stores.push(store);
        return store;
    }

    /** Have whoever started the nodes do something to them: "kill the leader". */
    async ask(wish) {
        return await this.#ask(wish);
    }

    async close() {
        await Promise.all(this.#stores.map(close));
    }
}

/** Dispose of a store; unused ids are returned by then. */
export async function close(store) {
    await new Promise((resolve) => {
        store.once("executorsDisposed", resolve);
        store.dispose();
    });
}

export function clusterWide(store, options = {}) {
    return store.openSession({ transactionMode: "ClusterWide", ...options });
}

/** Store entities in one save: `{"users/1": new User("John")}`. */
export async function save(store, entities) {
    const session = store.openSession();
    for (const [id, entity] of Object.entries(entities)) {
        await session.store(entity, id);
    }
    await session.saveChanges();
}

/** Saves one document at a time, and waits for replicas as told. */
export function saver(store) {
    return async (id, options) => {
        const session = store.openSession();
        await session.store(new User("someone"), id);
        session.advanced.waitForReplicationAfterSaveChanges(options);
        await session.saveChanges();
    };
}

/** What a new session loads. */
export async function load(store, id, type = User) {
    return await store.openSession().load(id, type);
}

/** The error of a promise that must fail with a class of that name, as the client names it. */
export async function failure(name, promise) {
    let error = null;
    try {
        await promise;
    } catch (thrown) {
        error = thrown;
    }
    assert(error, `${name} was expected, and nothing failed`);
    assert.equal(error.name, name, error.stack);
    return error;
}
