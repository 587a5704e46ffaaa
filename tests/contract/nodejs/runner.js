/**
 * Tells stories, one after another, to whoever started this process.
 *
 * Each line on stdin is `{"story", "urls", "database"}`; its answer on stdout is a line with
 * `failed`: null, or why. Before that a story may ask for something, `{"ask": wish}`; the next line
 * on stdin is what it gets. All that stories print goes to stderr.
 */
import { createInterface } from "node:readline";
import { readdir } from "node:fs/promises";
import { stories, World } from "./story.js";

console.log = console.info = console.error;

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

async function hear() {
    const { value, done } = await lines.next();
    return done ? null : JSON.parse(value);
}

function say(words) {
    process.stdout.write(`${JSON.stringify(words)}\n`);
}

async function ask(wish) {
    say({ ask: wish });
    return await hear();
}

async function tell({ story, urls, database }) {
    const told = stories.get(story);
    if (!told) {
        return `there is no story named '${story}'`;
    }
    const world = new World({ urls, database, ask });
    try {
        await told(world);
        return null;
    } catch (error) {
        return error.stack ?? String(error);
    } finally {
        await world.close();
    }
}

const folder = new URL("stories/", import.meta.url);
for (const file of await readdir(folder)) {
    await import(new URL(file, folder));
}
for (let request = await hear(); request !== null; request = await hear()) {
    say({ failed: await tell(request) });
}
process.exit(0); // timers of the client would keep the process
