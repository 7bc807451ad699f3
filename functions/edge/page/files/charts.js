/** Lines over time: drawn for the eye, and a table behind it for everybody else. */

import { html, useEffect, useId, useRef, useState } from './vendor/standalone.module.js';
import uPlot from './vendor/uPlot.esm.js';
import { save } from './api.js';
import { blockName, exactFigure, figure, fileName, tick } from './format.js';

/** @typedef {{from: string, to: string, partial?: boolean}} Block */
/** @typedef {{label: string, values: (number | null)[], isBefore?: boolean}} Series */

const TICK_PX = 88;
const DASHES = [5, 5];
const POWERS = [...Array(16).keys()].map((power) => 10 ** power);
const WHOLE_STEPS = POWERS.flatMap((power) => [power, 2 * power, 5 * power]);
/** Steps of an axis that are round in what people count in. */
const DURATION_STEPS = [
  1,
  10,
  100,
  1000,
  5000,
  10_000,
  30_000,
  60_000,
  300_000,
  600_000,
  1_800_000,
  3_600_000,
  ...POWERS.flatMap((power) => [2, 5, 10].map((digit) => digit * power * 3_600_000)),
];
/** @type {Record<string, number[]>} */
const UNIT_STEPS = { ms: DURATION_STEPS, seconds: DURATION_STEPS.slice(3).map((ms) => ms / 1000) };

/**
 * @param {{label: string, blocks: Block[], series: Series[], granularity: string, zone: string,
 *   column?: import('./format.js').Column, height?: number, actions?: any, note?: string,
 *   file?: string}} props The first of `series` is drawn in full, others (such as the period
 *   before) are drawn thin.
 */
export function LineChart({
  label,
  blocks,
  series,
  granularity,
  zone,
  column,
  height = 260,
  actions,
  note,
  file = label,
}) {
  const [place, setPlace] = useState(/** @type {number | null} */ (null));
  const [hasTable, setTable] = useState(false);
  const plot = useRef(/** @type {any} */ (null));
  const id = useId();
  const box = useDrawing(plot, { blocks, series, granularity, zone, column, height, setPlace });
  const name = (/** @type {number} */ at) => blockName(blocks[at], granularity, zone);
  const hasPartial = blocks.some((block) => block.partial);
  const move = (/** @type {KeyboardEvent} */ event) => setPlace(moved(event, place, blocks.length));
  useEffect(() => showCursor(plot.current, place), [place]);
  return html`
    <figure class="chart" aria-labelledby=${id}>
      <figcaption id=${id} class="visually-hidden">${label}</figcaption>
      <div
        class="chart-plot"
        tabindex="0"
        role="group"
        aria-label=${`${label}, chart. Arrow keys read it, the table has all of it.`}
        onKeyDown=${move}
        onBlur=${() => setPlace(null)}
        onMouseLeave=${() => setPlace(null)}
      >
        <div ref=${box} aria-hidden="true" style=${{ height: `${height}px` }}></div>
        <div class="chart-tip" role="status" style=${tipStyle(plot.current, place)}>
          ${
            place !== null &&
            blocks[place] &&
            html`
              <strong>${name(place)}</strong>
              ${series.map(
                (each) => html`
                  <span key=${each.label}>
                    <bdi>${each.label}</bdi> <b>${figure(each.values[place], column)}</b>
                  </span>
                `,
              )}
              ${blocks[place].partial && html`<em>not all counted yet</em>`}
            `
          }
        </div>
      </div>
      <div class="chart-foot">
        <span class="muted">
          ${
            series.length > 1 &&
            html`
              <span class="legend">
                <i></i>This period <i class="before"></i>Before
              </span>
            `
          }
          ${
            hasPartial &&
            html`
              <span class="legend">
                <i class="dashed"></i>not all counted yet
              </span>
            `
          }
          ${note}
        </span>
        <span class="chart-actions">
          <button
            type="button"
            class="quiet"
            aria-pressed=${hasTable}
            aria-label=${`Show ${label} as a table`}
            onClick=${() => setTable(!hasTable)}
          >
            Table
          </button>
          <button
            type="button"
            class="quiet"
            aria-label=${`Save ${label} as PNG`}
            onClick=${() => savePicture(plot.current, label, `${fileName(file)}.png`)}
          >
            PNG
          </button>
          ${actions}
        </span>
      </div>
      <div
        class=${hasTable ? 'chart-table' : 'visually-hidden'}
        tabindex=${hasTable ? 0 : undefined}
        role=${hasTable ? 'region' : undefined}
        aria-label=${hasTable ? `${label}, table` : undefined}
      >
        <table>
          <caption class="visually-hidden">${label}</caption>
          <thead>
            <tr>
              <th scope="col">When</th>
              ${series.map(
                (each) => html`
                  <th scope="col" class="number" key=${each.label}>
                    <bdi>${each.label}</bdi>
                  </th>
                `,
              )}
            </tr>
          </thead>
          <tbody>
            ${blocks.map(
              (block, at) => html`
                <tr key=${block.from}>
                  <th scope="row">
                    ${name(at)}
                    ${block.partial ? ' (not all counted yet)' : ''}
                  </th>
                  ${series.map(
                    (each) => html`
                      <td class="number" key=${each.label}>
                        ${exactFigure(each.values[at], column)}
                      </td>
                    `,
                  )}
                </tr>
              `,
            )}
          </tbody>
        </table>
      </div>
    </figure>
  `;
}

/**
 * Draws into the element that the returned reference gets, and again when anything that is drawn
 * has changed.
 * @param {any} plot
 * @param {any} what
 */
function useDrawing(plot, what) {
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const theme = useTheme();
  const { blocks, series, granularity, zone, column, height } = what;
  const drawn = JSON.stringify([blocks, series, granularity, zone, column?.name, height, theme]);
  useEffect(() => {
    const element = box.current;
    if (!element || !blocks.length) return undefined;
    plot.current = new uPlot(options(what, element.clientWidth), data(blocks, series), element);
    const resized = new ResizeObserver(() =>
      plot.current.setSize({ width: element.clientWidth, height }),
    );
    resized.observe(element);
    return () => {
      resized.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, [drawn]);
  return box;
}

/** A number that changes with the theme. */
function useTheme() {
  const [times, setTimes] = useState(0);
  useEffect(() => {
    const again = () => setTimes((before) => before + 1);
    const dark = matchMedia('(prefers-color-scheme: dark)');
    dark.addEventListener('change', again);
    addEventListener('odometer-theme', again);
    return () => {
      dark.removeEventListener('change', again);
      removeEventListener('odometer-theme', again);
    };
  }, []);
  return times;
}

/**
 * Blocks by their places, so that hours that a clock skips or repeats are as wide as others.
 * @param {Block[]} blocks
 * @param {Series[]} series
 * @returns {any}
 */
function data(blocks, series) {
  const [main, ...others] = series;
  const firstPartial = blocks.findIndex((block) => block.partial);
  const whole = firstPartial < 0 ? blocks.length : firstPartial;
  const counted = main.values.map((value, at) => (at < whole ? value : null));
  const rest = main.values.map((value, at) =>
    at >= whole - 1 && whole < blocks.length ? value : null,
  );
  return [blocks.map((_, at) => at), ...others.map((each) => each.values), counted, rest];
}

/**
 * @param {any} what
 * @param {number} width
 * @returns {any}
 */
function options({ blocks, series, granularity, zone, column, height, setPlace }, width) {
  const colour = colours();
  const points = { show: blocks.length === 1, size: 8, fill: colour.accent };
  const axis = { stroke: colour.muted, font: '12px system-ui, sans-serif', ticks: { show: false } };
  const isWhole = !column?.decimals;
  const steps = UNIT_STEPS[column?.unit ?? ''] ?? (isWhole ? WHOLE_STEPS : undefined);
  const before = { stroke: colour.faint, width: 1.5, points: { show: blocks.length === 1 } };
  return {
    width: Math.max(width, 1),
    height,
    padding: [12, 24, 0, 0],
    legend: { show: false },
    cursor: {
      y: false,
      drag: { x: false, y: false },
      points: { size: 8, fill: colour.accent, stroke: colour.surface, width: 2 },
    },
    scales: {
      x: { time: false, range: [blocks.length > 1 ? 0 : -1, Math.max(1, blocks.length - 1)] },
      y: {
        range: (/** @type {any} */ _, /** @type {number} */ least, /** @type {number} */ most) => [
          Math.min(0, least ?? 0),
          top(most),
        ],
      },
    },
    axes: [
      {
        ...axis,
        grid: { show: false },
        size: 36,
        gap: 10,
        splits: (/** @type {any} */ u) => places(blocks.length, u.bbox.width / devicePixelRatio),
        values: (/** @type {any} */ _, /** @type {number[]} */ at) =>
          at.map((each) => blockName(blocks[each], granularity, zone, true)),
      },
      {
        ...axis,
        grid: { stroke: colour.line, width: 1 },
        size: (/** @type {any} */ _u, /** @type {string[] | null} */ values) =>
          16 + 7 * Math.max(3, ...(values ?? []).map((text) => text.length)),
        incrs: steps,
        values: (/** @type {any} */ _, /** @type {number[]} */ values) =>
          values.map((value) => tick(value, column)),
      },
    ],
    series: [
      {},
      ...series.slice(1).map(() => before),
      { stroke: colour.accent, width: 2, fill: colour.fill, points },
      {
        stroke: colour.accent,
        width: 2,
        dash: DASHES,
        fill: colour.fill,
        points: { show: blocks.length === 1, size: 8 },
      },
    ],
    hooks: {
      setCursor: [(/** @type {any} */ u) => u.cursor.event && setPlace(u.cursor.idx ?? null)],
    },
  };
}

/**
 * Some room above the largest value, and an axis also for nothing but zeros.
 * @param {number | null} most
 */
const top = (most) => (most && most > 0 ? most * 1.08 : 1);

/**
 * As many places of blocks as have room for a name each.
 * @param {number} blocks
 * @param {number} width
 */
function places(blocks, width) {
  const step = Math.max(1, Math.ceil(blocks / Math.max(2, Math.floor(width / TICK_PX))));
  return [...Array(Math.ceil(blocks / step)).keys()].map((at) => at * step);
}

/** What the style sheet says, as a canvas takes it. */
function colours() {
  const probe = document.createElement('span');
  probe.hidden = true;
  document.body.append(probe);
  const names = {
    accent: '--accent',
    fill: '--accent-fill',
    muted: '--muted',
    faint: '--faint',
    line: '--line',
    surface: '--surface',
    text: '--text',
  };
  const found = Object.entries(names).map(([name, token]) => {
    probe.style.color = `var(${token})`;
    return [name, getComputedStyle(probe).color];
  });
  probe.remove();
  return Object.fromEntries(found);
}

/**
 * @param {KeyboardEvent} event
 * @param {number | null} place
 * @param {number} blocks
 */
function moved(event, place, blocks) {
  const last = blocks - 1;
  const to = {
    ArrowLeft: place === null ? last : Math.max(0, place - 1),
    ArrowRight: place === null ? 0 : Math.min(last, place + 1),
    Home: 0,
    End: last,
    Escape: null,
  };
  if (!(event.key in to)) return place;
  event.preventDefault();
  return /** @type {any} */ (to)[event.key];
}

/**
 * @param {any} plot
 * @param {number | null} place
 */
function showCursor(plot, place) {
  if (!plot || plot.cursor.idx === place) return;
  if (place === null) plot.setCursor({ left: -10, top: -10 });
  else plot.setCursor({ left: plot.valToPos(place, 'x'), top: 10 });
}

/**
 * @param {any} plot
 * @param {number | null} place
 */
function tipStyle(plot, place) {
  if (!plot || place === null) return { visibility: 'hidden' };
  const left = plot.valToPos(place, 'x') + plot.over.offsetLeft;
  const isRight = left > plot.width / 2;
  return {
    left: `${left + (isRight ? -12 : 12)}px`,
    transform: isRight ? 'translateX(-100%)' : 'none',
  };
}

/**
 * A picture of a chart with its title, on the ground of the page.
 * @param {any} plot
 * @param {string} title
 * @param {string} name
 */
function savePicture(plot, title, name) {
  if (!plot) return;
  const drawn = plot.ctx.canvas;
  const scale = devicePixelRatio;
  const head = 48 * scale;
  const colour = colours();
  const canvas = document.createElement('canvas');
  canvas.width = drawn.width;
  canvas.height = drawn.height + head;
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
  context.fillStyle = colour.surface;
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.fillStyle = colour.text;
  context.font = `600 ${16 * scale}px system-ui, sans-serif`;
  context.fillText(title, 16 * scale, 30 * scale, canvas.width - 32 * scale);
  context.drawImage(drawn, 0, head);
  canvas.toBlob((blob) => blob && save(blob, name));
}
