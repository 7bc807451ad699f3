/** What the API refused; `status` is 0 where there was no answer. */
export class OdometerError extends Error {
    /**
     * @param {number} status
     * @param {string} message
     * @param {{code?: string, details?: unknown, requestId?: string | null, cause?: unknown}} [more]
     */
    constructor(status: number, message: string, { code, details, requestId, cause }?: {
        code?: string;
        details?: unknown;
        requestId?: string | null;
        cause?: unknown;
    });
    status: number;
    /** Stable, for programs: `invalid_parameter`, `forbidden`, … */
    code: string;
    details: unknown;
    /** Name it when you ask for help. */
    requestId: string | null;
}
export class Odometer {
    /** @param {Options} options */
    constructor({ url, key, username, tries, timeout, fetch, }: Options);
    /**
     * Any question of usage: totals, a series, groups, a comparison.
     * @param {Query<'/v1/usage'>} question
     * @param {Call} [call]
     * @returns {Promise<UsageAnswer>}
     */
    usage(question: Query<"/v1/usage">, call?: Call): Promise<UsageAnswer>;
    /**
     * Every group of a question, whatever the number of pages.
     * @param {Query<'/v1/usage'>} question
     * @param {Call} [call]
     * @returns {AsyncGenerator<UsageGroup, void, undefined>}
     */
    usageGroups(question: Query<"/v1/usage">, call?: Call): AsyncGenerator<UsageGroup, void, undefined>;
    /**
     * Who has a seat and does not use it.
     * @param {Query<'/v1/seats'>} [question]
     * @param {Call} [call]
     * @returns {Promise<SeatsAnswer>}
     */
    seats(question?: Query<"/v1/seats">, call?: Call): Promise<SeatsAnswer>;
    /**
     * Every seat, whatever the number of pages.
     * @param {Query<'/v1/seats'>} [question]
     * @param {Call} [call]
     * @returns {AsyncGenerator<Seat, void, undefined>}
     */
    eachSeat(question?: Query<"/v1/seats">, call?: Call): AsyncGenerator<Seat, void, undefined>;
    /**
     * Who is calling, and names and units to know before asking.
     * @param {Call} [call]
     * @returns {Promise<MeAnswer>}
     */
    me(call?: Call): Promise<MeAnswer>;
    /**
     * Send events, in as many batches as it takes, and add up what became of them. A batch without an
     * answer is sent again with the same ids, so everything counts once.
     * @param {Iterable<UsageEvent>} events
     * @param {Call} [call]
     * @returns {Promise<Receipt>}
     */
    sendEvents(events: Iterable<UsageEvent>, { signal }?: Call): Promise<Receipt>;
    /**
     * Any GET of the API, by its path in the documents.
     * @template {Readable} P
     * @param {P} path
     * @param {Question<P>} question
     * @returns {Promise<Answer<P>>}
     */
    get<P extends Readable>(path: P, question: Question<P>): Promise<Answer<P>>;
    /**
     * The pages of a list, one after the other.
     * @template {Readable} P
     * @param {P} path
     * @param {Question<P>} question
     * @returns {AsyncGenerator<Answer<P>, void, undefined>}
     */
    pages<P extends Readable>(path: P, question: Question<P>): AsyncGenerator<Answer<P>, void, undefined>;
    /**
     * A request, sent again while the service is busy; what is not safe to repeat is sent once.
     * @param {string} method
     * @param {string} path
     * @param {{query?: Record<string, unknown>, body?: unknown, isSafe?: boolean,
     *   signal?: AbortSignal}} [how]
     * @returns {Promise<any>}
     */
    request(method: string, path: string, { query, body, isSafe, signal, }?: {
        query?: Record<string, unknown>;
        body?: unknown;
        isSafe?: boolean;
        signal?: AbortSignal;
    }): Promise<any>;
    #private;
}
export type Asked = {
    path?: Record<string, unknown>;
    query?: Record<string, unknown>;
    signal?: AbortSignal;
};
import type { Query } from './types.js';
import type { Call } from './types.js';
import type { UsageAnswer } from './types.js';
import type { UsageGroup } from './types.js';
import type { SeatsAnswer } from './types.js';
import type { Seat } from './types.js';
import type { MeAnswer } from './types.js';
import type { UsageEvent } from './types.js';
import type { Receipt } from './types.js';
import type { Readable } from './types.js';
import type { Question } from './types.js';
import type { Answer } from './types.js';
import type { Options } from './types.js';
