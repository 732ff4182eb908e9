/** What the keyboard does, for whoever asks by `?`. */
import { useEffect, useRef } from 'preact/hooks'

const groups: readonly (readonly [where: string, keys: readonly (readonly [keys: string, what: string])[]])[] = [
  [
    'Everywhere',
    [
      ['1 2 3', 'Now, History, Health'],
      ['/', 'filter the table or the log records'],
      ['?', 'this list'],
      ['Esc', 'leave a field, close what is open'],
    ],
  ],
  [
    'In the trace of a session',
    [
      ['t', 'go to the trace'],
      ['↑ ↓', 'choose a span; PageUp, PageDown, Home and End go further'],
      ['← →', 'fold and unfold what is below it'],
      ['Enter', 'show its time alone'],
      ['+ −', 'show less time, more time'],
      ['0', 'show all of the time'],
    ],
  ],
]

export function KeyHelp(props: { readonly isOpen: boolean; readonly close: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    const element = dialog.current
    if (element === null || element.open === props.isOpen) return
    if (props.isOpen) element.showModal()
    else element.close()
  }, [props.isOpen])
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Escape closes a dialog by itself
    <dialog
      class="help"
      ref={dialog}
      aria-label="Keys"
      onClose={props.close}
      onClick={(event) => event.target === dialog.current && props.close()}
    >
      <div>
        <header>
          <h2>Keys</h2>
          <button type="button" onClick={props.close} aria-label="Close (Escape)">
            ✕
          </button>
        </header>
        {groups.map(([where, keys]) => (
          <section key={where}>
            <h3>{where}</h3>
            <dl>
              {keys.map(([key, what]) => (
                <div key={key}>
                  <dt>
                    {key.split(' ').map((each) => (
                      <kbd key={each}>{each}</kbd>
                    ))}
                  </dt>
                  <dd>{what}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </dialog>
  )
}
