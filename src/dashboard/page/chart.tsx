/** Bars over time by uPlot, in the colours of the page, as wide as there is room. */
import { useEffect, useRef, useState } from 'preact/hooks'
import uPlot from 'uplot'

export interface Series {
  readonly label: string
  /** The name of a colour of the page. */
  readonly colour: string
  readonly values: readonly number[]
}

/** The series stand upon each other. `times` are seconds since the Unix epoch, `step` the seconds of one bar. */
export function Bars(props: {
  readonly times: readonly number[]
  readonly step: number
  readonly series: readonly Series[]
  readonly height: number
  readonly theme: string
  readonly render: (value: number) => string
  /** What the bars are, for whoever cannot see them. */
  readonly label: string
}) {
  const place = useRef<HTMLDivElement>(null)
  const [index, setIndex] = useState<number | undefined>(undefined)
  useEffect(() => {
    const element = place.current
    if (element === null) return
    const chart = new uPlot(optionsOf(props, element, setIndex), dataOf(props), element)
    const observer = new ResizeObserver(() => chart.setSize({ width: element.clientWidth, height: props.height }))
    observer.observe(element)
    return () => {
      observer.disconnect()
      chart.destroy()
    }
  }, [props.times, props.series, props.theme, props.height])
  return (
    <>
      <div class="chart" ref={place} role="img" aria-label={props.label} />
      <p class="reading">{index === undefined ? 'Point at a bar for its figures.' : readBar(props, index)}</p>
    </>
  )
}

function readBar({ times, step, series, render }: Parameters<typeof Bars>[0], index: number): string {
  const values = series.map(({ label, values }) => `${label} ${render(values[index] ?? 0)}`)
  const sum = series.reduce((total, { values }) => total + (values[index] ?? 0), 0)
  return `${renderTick(times[index] ?? 0, step)}: ${render(sum)} (${values.join(', ')})`
}

function dataOf({ times, series }: Parameters<typeof Bars>[0]): uPlot.AlignedData {
  let below = times.map(() => 0)
  const stacked = series.map(({ values }) => {
    below = below.map((sum, index) => sum + (values[index] ?? 0))
    return below
  })
  // What stands highest is drawn first, so that the others cover its lower part.
  return [[...times], ...stacked.toReversed()]
}

function optionsOf(
  props: Parameters<typeof Bars>[0],
  element: HTMLElement,
  onPoint: (index: number | undefined) => void,
): uPlot.Options {
  const colours = getComputedStyle(document.documentElement)
  const colour = (name: string) => colours.getPropertyValue(`--${name}`).trim()
  const axis = {
    stroke: colour('quiet'),
    font: '11px system-ui, sans-serif',
    grid: { stroke: colour('line'), width: 1 },
    ticks: { show: false },
  }
  const last = props.times.at(-1) ?? 0
  const bars = uPlot.paths.bars?.({ size: [0.75, 40], align: 1 })
  return {
    width: element.clientWidth,
    height: props.height,
    legend: { show: false },
    cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
    hooks: { setCursor: [(chart) => onPoint(chart.cursor.left === -10 ? undefined : (chart.cursor.idx ?? undefined))] },
    padding: [8, 20, 0, 0],
    scales: {
      x: { range: () => [(props.times[0] ?? last) - props.step * 0.2, last + props.step] },
      y: { range: (_, __, max) => [0, max > 0 ? max * 1.08 : 1] },
    },
    axes: [
      {
        ...axis,
        size: 24,
        grid: { show: false },
        values: (_, splits) => splits.map((at) => (at > last ? '' : renderTick(at, props.step))),
      },
      { ...axis, size: 46, values: (_, splits) => splits.map((value) => props.render(value)) },
    ],
    series: [
      {},
      ...props.series.toReversed().map(({ label, colour: name }) => ({
        label,
        fill: colour(name),
        width: 0,
        points: { show: false },
        ...(bars === undefined ? {} : { paths: bars }),
      })),
    ],
  }
}

function renderTick(seconds: number, step: number): string {
  const date = new Date(seconds * 1000)
  return step >= 86_400
    ? date.toLocaleDateString([], { month: 'short', day: 'numeric' })
    : date.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', hour12: false })
}
