/** What a server serves as `/belfry.js`: the elements, and the client for pages that script it. */
export * from './index'
export * from './elements/index'
