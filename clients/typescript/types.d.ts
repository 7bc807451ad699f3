/** Names for what the API documents say (`schema.d.ts` is generated from openapi.json). */

import type { components, paths } from './schema.js';

export type { components, paths };
export type Schemas = components['schemas'];
export type UsageAnswer = Schemas['UsageAnswer'];
export type UsageGroup = Schemas['UsageGroup'];
export type SeatsAnswer = Schemas['SeatsAnswer'];
export type Seat = Schemas['Seat'];
export type Receipt = Schemas['Receipt'];
export type MeAnswer = Schemas['MeAnswer'];

/** An event as it is sent; what every event has the same is filled in. */
export type UsageEvent = Pick<Schemas['Event'], 'id' | 'source' | 'subject' | 'time' | 'data'> & {
  specversion?: '1.0';
  type?: 'usage';
  [extension: string]: unknown;
};

/** The paths that can be read. */
export type Readable = { [P in keyof paths]: paths[P] extends { get: { responses: { 200: { content: { 'application/json': unknown } } } } } ? P : never }[keyof paths];
export type Query<P extends Readable> = paths[P] extends { get: { parameters: { query?: infer Q } } } ? Q : never;
export type Named<P extends Readable> = paths[P] extends { get: { parameters: { path: infer N } } } ? N : undefined;
export type Answer<P extends Readable> = paths[P] extends { get: { responses: { 200: { content: { 'application/json': infer A } } } } } ? A : never;

export interface Options {
  /** Where the deployment is, such as `https://usage.example.com`. */
  url: string;
  /** An access key, or in a page an embed token. */
  key: string;
  /** The username of the key's owner, to send Basic credentials instead of Bearer. */
  username?: string;
  /** How often a request is sent at most. */
  tries?: number;
  /** For how many milliseconds an answer is awaited, each time. */
  timeout?: number;
  fetch?: typeof fetch;
}

export interface Call {
  signal?: AbortSignal;
}

export type Question<P extends Readable> = Call & { query?: Query<P> } & (Named<P> extends undefined ? { path?: undefined } : { path: Named<P> });
