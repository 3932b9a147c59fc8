import { useState } from 'react'
import { createRoot } from 'react-dom/client'
import '@belfry/client/elements'

const root = document.querySelector('#app')

function App({ belfry }) {
  const [heard, setHeard] = useState([])
  const [note, setNote] = useState('')
  return (
    <>
      <header>
        <h1>Orders</h1>
        <belfry-bell
          src={belfry}
          onbelfry-notice={({ detail }) => setHeard((before) => [...before, detail.title])}
        />
      </header>
      <main>
        <label>
          Note <textarea rows={4} value={note} onChange={(event) => setNote(event.target.value)} />
        </label>
        <p>{note.length} characters</p>
        <ul>
          {heard.map((title, at) => (
            <li key={at}>Came: {title}</li>
          ))}
        </ul>
      </main>
      <belfry-lock src={belfry} />
    </>
  )
}

createRoot(root).render(<App belfry={root.dataset.belfry} />)
