/**
 * Reports what a person does with pointer and keys, and nothing else: no timer and no script may
 * keep a session from going idle.
 * @returns what stops it
 */
export function reportActivity(report: () => void): () => void {
  let pointer: string | null = null

  // Scripts, the page's own among them, are not people.
  const acted = (event: Event) => {
    if (event.isTrusted) report()
  }
  /** Browsers also send a move when the page changes under a pointer at rest. */
  const moved = (event: PointerEvent) => {
    const place = `${event.screenX},${event.screenY}`
    const rested = pointer === null || pointer === place
    pointer = place
    if (!rested) acted(event)
  }

  const options = { capture: true, passive: true }
  const types = ['pointerdown', 'keydown', 'wheel', 'input']
  for (const type of types) window.addEventListener(type, acted, options)
  window.addEventListener('pointermove', moved, options)
  return () => {
    for (const type of types) window.removeEventListener(type, acted, options)
    window.removeEventListener('pointermove', moved, options)
  }
}
