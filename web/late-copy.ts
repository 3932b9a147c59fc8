import type { Plugin } from 'vite'

/** Who uses of VueUse what the first page does not, and comes later than that. */
const LATE =
  /\/node_modules\/reka-ui\/|\/src\/(components\/(CopyButton|LiveChart)\.vue|composables\/useStats\.ts)|\?late$/

/**
 * Gives the parts that come later a copy of VueUse of their own. It is two modules, and a module is
 * not divided: all that any part needs of it would come with the first page. Nothing in it is state
 * that the two would have to share.
 */
export function lateVueUse(): Plugin {
  return {
    name: 'belfry:late-vueuse',
    apply: 'build',
    enforce: 'pre',
    async resolveId(source, importer) {
      if (!/^@vueuse\/(core|shared)$/.test(source) || !importer || !LATE.test(importer)) return null
      const found = await this.resolve(source, importer, { skipSelf: true })
      return found && { ...found, id: `${found.id}?late` }
    },
  }
}
