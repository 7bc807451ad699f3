export { h, render, Fragment, createContext, type ComponentChildren, type VNode } from 'preact';
export * from 'preact/hooks';
export { html } from 'htm/preact';
