/** The two tones, in Hz and in seconds from the first: a fifth that falls, as of a far bell. */
const TONES = [
  { hz: 784, at: 0 },
  { hz: 523, at: 0.18 },
]
const LASTS = 0.9
const LOUD = 0.08

let context: AudioContext | null = null

/**
 * Two soft tones. Browsers let a page make a sound once its reader has touched it; before that,
 * nothing is heard, and nothing is heard late.
 */
export function chime(): void {
  if (!('AudioContext' in window) || !navigator.userActivation.hasBeenActive) return
  context ??= new AudioContext()
  const { destination } = context
  const audio = context
  void audio.resume().then(() => {
    for (const { hz, at } of TONES) {
      const begins = audio.currentTime + at
      const tone = new OscillatorNode(audio, { type: 'sine', frequency: hz })
      const volume = new GainNode(audio, { gain: 0 })
      volume.gain.setValueAtTime(0, begins)
      volume.gain.linearRampToValueAtTime(LOUD, begins + 0.02)
      volume.gain.exponentialRampToValueAtTime(0.0001, begins + LASTS)
      tone.connect(volume).connect(destination)
      tone.start(begins)
      tone.stop(begins + LASTS)
    }
  })
}
