'use strict';
// The page of the playground. The server holds the training: its state (what the controls say) comes with the answer to
// every command, its frames (weights, losses, maps) by server-sent events. Nothing here computes a network.

const $ = id => document.getElementById(id);
const make = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};
const short = x => x === null || x === undefined ? 'not finite' : !Number.isFinite(+x) ? String(x) :
  Math.abs(x) >= 1e5 || (x !== 0 && Math.abs(x) < 1e-3) ? (+x).toExponential(2) : (+x).toPrecision(4).replace(/\.?0+$/, '');
const words = name => name.replaceAll('_', ' ');

let controls = [], state = null, frame = null, session = null, stream = null, watched = null, opened = null;
const statistics = window.playground = {frames: 0, drawn: 0, get state() { return state; }, get frame() { return frame; }};

// ---- Requests, one after another, so that answers come in order.

let queue = Promise.resolve();
const inOrder = work => queue = queue.then(work, work);

class Refused extends Error {}

async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Refused('The program does not answer. Is it still running?');
  }
  if (answer.status === 410) {
    session = null;
    await begin(state ? state.address : location.hash);
    throw new Refused('The session had ended; the network begins again.');
  }
  if (!answer.ok) throw new Refused((await answer.text()).trim());
  return answer;
}

// members may be a function: it is called when what was asked before is answered, and so sees the state that it changes.
const command = (name, members = {}) => inOrder(async () => {
  try {
    const given = typeof members === 'function' ? members() : members;
    const answer = await ask(`session/${session}`, {method: 'POST', body: JSON.stringify({command: name, ...given})});
    const json = await answer.json();
    tell('');
    if (json.settings) take(json);
    return json;
  } catch (error) {
    complain(error);
    if (state) render();
    return null;
  }
});
const set = values => command('set', () => ({values: typeof values === 'function' ? values() : values}));
const setLayers = change => set(() => ({layers: layersText(change(layersOf(value('layers'))))}));

const complain = error => tell(error instanceof Refused ? error.message : `${error}`, true);
function tell(text, bad = false) {
  $('message').hidden = !bad || !text;
  $('message').textContent = bad ? text : '';
}

async function begin(address) {
  const open = text => ask('session', {method: 'POST', body: JSON.stringify({address: text})});
  let answer, trouble = null;
  try {
    answer = await open(decodeURI(address || ''));
  } catch (error) {
    if (!address || error.message.includes('sessions are open') || error.message.includes('does not answer')) throw error;
    trouble = `This address is not understood, so here is the first network: ${error.message}`;
    answer = await open('');
  }
  const json = await answer.json();
  session = json.session;
  take(json.state);
  listen();
  if (trouble) tell(trouble, true);
}

// A hidden tab needs no frames and leaves its connection to others.
function listen() {
  if (stream) stream.close();
  stream = null;
  if (document.hidden || !session) return;
  stream = new EventSource(`session/${session}/frames`);
  const mine = stream;
  stream.onmessage = event => {
    statistics.frames++;
    frame = JSON.parse(event.data);
    schedule();
  };
  stream.onerror = () => {
    if (mine === stream && mine.readyState === EventSource.CLOSED) command('state').then(json => json && listen());
  };
}

// ---- State

function take(json) {
  const rebuilt = !state || state.version !== json.version || session !== state.session;
  state = json;
  state.session = session;
  if (rebuilt) opened = watched = null;
  history.replaceState(null, '', '#' + json.address);
  render();
}

function value(name) { return state.settings[name]; }
const listed = text => text === '' ? [] : text.split(',');
const layersOf = text => listed(text).map(piece => {
  const [units, activation, dropout] = piece.split(':');
  return {units: +units, activation: activation || 'tanh', dropout: dropout || '0'};
});
const layersText = layers =>
  layers.map(l => `${l.units}:${l.activation}` + (+l.dropout > 0 ? `:${l.dropout}` : '')).join(',');

// ---- Colours: blue and orange, told apart with every kind of colour vision, over a grey middle.

let palette = [], theme = 'light';
const mixed = (from, to, part) => from.map((c, i) => Math.round(c + (to[i] - c) * part));
const positive = [8, 119, 189], negative = [240, 140, 28];
function choosePalette() {
  const wanted = localStorage.getItem('playground-theme');
  theme = wanted || (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light');
  if (wanted) document.documentElement.dataset.theme = wanted;
  $('theme').textContent = theme === 'dark' ? 'Light' : 'Dark';
  const middle = theme === 'dark' ? [27, 33, 39] : [240, 241, 242];
  palette = Array.from({length: 64}, (_, i) => {
    const v = (i + 0.5) / 32 - 1;
    return mixed(middle, v < 0 ? negative : positive, Math.abs(v));
  });
  const legend = $('legend').getContext('2d'), image = legend.createImageData(64, 1);
  palette.forEach((c, i) => image.data.set([...c, 255], 4 * i));
  legend.putImageData(image, 0, 0);
}
const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const level = new Uint8Array(128);
[...letters].forEach((letter, i) => level[letter.charCodeAt(0)] = i);

function drawMap(canvas, text, discretise = false) {
  const side = Math.round(Math.sqrt(text.length));
  if (canvas.width !== side) canvas.width = canvas.height = side;
  const context = canvas.getContext('2d'), image = context.createImageData(side, side), data = image.data;
  for (let i = 0; i < text.length; i++) {
    let l = level[text.charCodeAt(i)];
    if (discretise) l = l < 32 ? 0 : 63;
    const c = palette[l];
    data[4 * i] = c[0]; data[4 * i + 1] = c[1]; data[4 * i + 2] = c[2]; data[4 * i + 3] = 255;
  }
  context.putImageData(image, 0, 0);
}

// ---- Controls from the server's table

const shownElsewhere = new Set(['data', 'features', 'layers', 'own', 'events']);
const places = {noise: 'data-controls', train_share: 'data-controls', batch: 'data-controls', data_seed: 'data-controls',
  show_test: 'view-controls', discretise: 'view-controls', colour: 'view-controls'};
const sliders = {noise: 5, train_share: 10};
const rates = ['0.00001', '0.0001', '0.001', '0.003', '0.01', '0.03', '0.1', '0.3', '1', '3', '10'];

function buildControls() {
  document.body.append(make('datalist', {id: 'rates'}, ...rates.map(r => make('option', {value: r}))));
  for (const row of controls) {
    if (shownElsewhere.has(row.name)) continue;
    const id = `c-${row.name}`, about = make('p', {className: 'about', id: `${id}-about`, textContent: row.about});
    let input;
    if (row.kind === 'choice') {
      input = make('select', {id}, ...row.choices.map(c => make('option', {value: c, textContent: words(c)})));
    } else if (row.kind === 'toggle') {
      input = make('input', {id, type: 'checkbox'});
    } else {
      input = make('input', {id, type: row.name in sliders ? 'range' : 'number', min: row.minimum, max: row.maximum,
                             step: sliders[row.name] || (row.kind === 'whole' ? 1 : 'any')});
      if (row.name.endsWith('_rate')) input.setAttribute('list', 'rates');
    }
    input.setAttribute('aria-describedby', about.id);
    input.addEventListener('change', () => set({[row.name]: row.kind === 'toggle' ? String(input.checked) : input.value}));
    const label = make('label', {htmlFor: id}, row.label, make('output', {id: `${id}-value`}), input);
    $(places[row.name] || 'training-controls').append(make('div', {className: 'control'}, label, about));
    if (row.name in sliders) input.addEventListener('input', () => $(`${id}-value`).textContent = `${input.value} %`);
  }
  const datasets = controls.find(c => c.name === 'data').choices;
  for (const name of datasets) {
    const button = make('button', {id: `data-${name}`}, make('canvas', {width: 44, height: 44}), name);
    button.setAttribute('role', 'radio');
    button.addEventListener('click', () => name === 'own' ? useOwn() : set(() => ({data: name, ...fitting(name)})));
    $('datasets').append(button);
  }
  sketchDatasets(datasets);
}

// Numbers to be predicted take a loss of differences.
const regressions = new Set(['plane', 'multi-gauss']);
const fitting = name => regressions.has(name) && value('loss').includes('entropy') ? {loss: 'mse'} : {};

// Small pictures for choosing; the points themselves come from the server.
function sketchDatasets(names) {
  const count = 90;
  // Evenly spread over a square, and the i-th of n over a disc, like seeds of a sunflower.
  const square = i => [(.5 + .7549 * i) % 1 * 2 - 1, (.5 + .5698 * i) % 1 * 2 - 1];
  const disc = (i, n, size) => {
    const r = size * Math.sqrt((i % n + .5) / n), angle = 2.4 * (i % n);
    return [r * Math.cos(angle), r * Math.sin(angle)];
  };
  const moved = ([x, y], dx, dy, label) => [x + dx, y + dy, label];
  const dots = {
    circle: (i, t) => t < .5 ? [...disc(i, 45, .42), 1] : [.85 * Math.sin(4 * Math.PI * t), .85 * Math.cos(4 * Math.PI * t), -1],
    xor: i => { const [x, y] = square(i).map(z => .8 * z + .1 * Math.sign(z)); return [x, y, x * y > 0 ? 1 : -1]; },
    gauss: (i, t) => { const s = t < .5 ? 1 : -1; return moved(disc(i, 45, .4), .45 * s, .45 * s, s); },
    spiral: (i, t) => { const s = t < .5 ? 1 : -1, r = (t % .5) * 2, a = 11 * r + (s > 0 ? 0 : Math.PI); return [.9 * r * Math.sin(a), .9 * r * Math.cos(a), s]; },
    plane: i => { const [x, y] = square(i).map(z => .9 * z); return [x, y, (x + y) / 1.8]; },
    'multi-gauss': (i, t) => { const cell = Math.floor(t * 6); return moved(disc(i, 15, .25), (cell % 3 - 1) * .65, cell < 3 ? .4 : -.4, cell % 2 ? -1 : 1); },
    own: () => null,
  };
  for (const name of names) {
    const context = $(`data-${name}`).querySelector('canvas').getContext('2d');
    context.fillStyle = getComputedStyle(document.documentElement).getPropertyValue('--back');
    context.fillRect(0, 0, 44, 44);
    if (name === 'own') {
      context.strokeStyle = getComputedStyle(document.documentElement).getPropertyValue('--text');
      context.lineWidth = 2;
      context.strokeRect(10, 8, 24, 28);
      for (const y of [16, 22, 28]) { context.beginPath(); context.moveTo(14, y); context.lineTo(30, y); context.stroke(); }
      continue;
    }
    for (let i = 0; i < count; i++) {
      const [x, y, label] = dots[name](i, i / count);
      context.fillStyle = `rgb(${palette[Math.max(0, Math.min(63, Math.floor((label + 1) * 32)))]})`;
      context.beginPath();
      context.arc(22 + 20 * x, 22 - 20 * y, 1.7, 0, 7);
      context.fill();
    }
  }
}

function render() {
  for (const row of controls) {
    const input = $(`c-${row.name}`);
    if (!input) continue;
    if (row.kind === 'toggle') input.checked = value(row.name) === 'true';
    else if (document.activeElement !== input || input.type !== 'number' || input.value === '') input.value = value(row.name);
    if (row.name in sliders) $(`c-${row.name}-value`).textContent = `${value(row.name)} %`;
  }
  for (const name of controls.find(c => c.name === 'data').choices) {
    const chosen = value('data') === name;
    $(`data-${name}`).setAttribute('aria-checked', chosen);
    $(`data-${name}`).tabIndex = chosen ? 0 : -1;
  }
  for (const option of $('c-loss').options)
    option.disabled = state.regression && option.value.includes('entropy');
  const uses = {momentum: ['momentum', 'nesterov'].includes(value('optimizer')), schedule_steps: value('schedule') !== 'constant',
    penalty_rate: value('penalty') !== 'none'};
  for (const [name, used] of Object.entries(uses)) $(`c-${name}`).disabled = !used;
  setPlaying(state.playing);
  if (rendered !== JSON.stringify([state.version, value('layers'), value('features'), session])) buildNetwork();
  drawPoints();
  schedule();
}

function setPlaying(playing) {
  $('play').setAttribute('aria-pressed', playing);
  $('play').textContent = playing ? 'Pause' : 'Play';
}

// ---- Network

let rendered = null, unitElements = [];

function buildNetwork() {
  const focused = document.activeElement && document.activeElement.id;
  rendered = JSON.stringify([state.version, value('layers'), value('features'), session]);
  const columns = $('columns');
  columns.textContent = '';
  unitElements = [];
  const chosen = new Set(listed(value('features')));
  const layers = layersOf(value('layers'));
  $('layers-text').textContent = `${layers.length} hidden layer${layers.length === 1 ? '' : 's'}`;
  $('layer-less').disabled = layers.length === 0;
  const widest = Math.max(7, ...layers.map(l => l.units));
  $('network').style.setProperty('--unit', `${widest <= 10 ? 36 : Math.max(18, Math.floor(400 / widest))}px`);

  const head = make('div', {className: 'head'}, make('strong', {textContent: 'Features'}), make('span', {className: 'about', textContent: 'what the network sees'}));
  const features = make('div', {className: 'column features'}, head);
  let number = 0;
  for (const feature of state.features) {
    const on = chosen.has(feature.name);
    const button = unitButton(`feature-${feature.name}`, feature.label, on ? number : null);
    button.append(make('span', {className: 'name', textContent: feature.label}));
    button.setAttribute('aria-pressed', on);
    button.setAttribute('aria-label', `Feature ${feature.label}`);
    button.addEventListener('click', () => set(() => {
      const names = new Set(listed(value('features')));
      names.delete(feature.name) || names.add(feature.name);
      return {features: state.features.map(f => f.name).filter(n => names.has(n)).join(',')};
    }));
    drawMap(button.querySelector('canvas'), feature.map);
    if (on) unitElements[number++] = button;
    features.append(button);
  }
  columns.append(features);

  const activations = controls.find(c => c.name === 'layers').choices;
  layers.forEach((layer, i) => {
    const change = members => setLayers(all => all.map((l, k) => k === i ? {...l, ...members(l)} : l));
    const less = make('button', {id: `less-${i}`, textContent: '−', disabled: layer.units === 1, title: 'Takes a unit away.'});
    less.setAttribute('aria-label', `Layer ${i + 1}: one unit less`);
    less.addEventListener('click', () => change(l => ({units: Math.max(1, l.units - 1)})));
    const more = make('button', {id: `more-${i}`, textContent: '+', title: 'Adds a unit.'});
    more.setAttribute('aria-label', `Layer ${i + 1}: one unit more`);
    more.addEventListener('click', () => change(l => ({units: l.units + 1})));
    const select = make('select', {id: `activation-${i}`, title: 'What each unit makes of its sum.'},
      ...activations.map(a => make('option', {value: a, textContent: words(a), selected: a === layer.activation})));
    select.setAttribute('aria-label', `Layer ${i + 1}: activation`);
    select.addEventListener('change', () => change(() => ({activation: select.value})));
    const dropout = make('select', {id: `dropout-${i}`, title: 'Dropout: how many units are left out at random in every step.'},
      ...['0', '0.1', '0.2', '0.3', '0.5', '0.7'].concat(['0', '0.1', '0.2', '0.3', '0.5', '0.7'].includes(layer.dropout) ? [] : [layer.dropout])
        .map(d => make('option', {value: d, textContent: d === '0' ? 'no dropout' : `dropout ${d}`, selected: d === layer.dropout})));
    dropout.setAttribute('aria-label', `Layer ${i + 1}: dropout`);
    dropout.addEventListener('change', () => change(() => ({dropout: dropout.value})));
    const column = make('div', {className: 'column'},
      make('div', {className: 'head'}, make('div', {className: 'row count'}, less, make('span', {textContent: `${layer.units}`}), more), select, dropout));
    for (let unit = 0; unit < layer.units; unit++) {
      const place = number++;
      const button = unitButton(`unit-${i + 1}-${unit + 1}`, `Layer ${i + 1}, unit ${unit + 1}`, place);
      button.addEventListener('click', () => openUnit(place));
      unitElements[place] = button;
      column.append(button);
    }
    columns.append(column);
  });
  const outputs = state.units.filter(u => u.layer === layers.length + 1);
  const output = make('div', {className: 'column'}, make('div', {className: 'head'}, make('strong', {textContent: 'Output'}),
    make('span', {className: 'about', textContent: outputs.length > 1 ? 'orange, blue' : 'the large map'})));
  for (const unit of outputs) {
    const place = number++;
    const button = unitButton(`unit-${unit.name}`, `Output ${unit.name}`, place);
    button.addEventListener('click', () => openUnit(place));
    unitElements[place] = button;
    output.append(button);
  }
  columns.append(output);
  if (focused && $(focused)) $(focused).focus();
  layoutLinks();
  if (opened !== null) openUnit(opened);
  else $('unit-panel').hidden = true;
}

function unitButton(id, title, place) {
  const button = make('button', {className: 'unit', id, title}, make('canvas', {width: 20, height: 20}));
  button.setAttribute('aria-label', title);
  if (place === null) return button;
  const watch = unit => { if (watched !== unit) { watched = unit; command('watch', {unit}); schedule(); } };
  const isOutput = state.units[place].layer === Math.max(...state.units.map(u => u.layer));
  if (isOutput) return button;
  button.addEventListener('mouseenter', () => watch(place));
  button.addEventListener('focus', () => watch(place));
  button.addEventListener('mouseleave', () => watch(null));
  button.addEventListener('blur', () => watch(null));
  return button;
}

// Where links begin and end, in the network's coordinates.
let anchors = [];
function layoutLinks() {
  const network = $('network'), canvas = $('links'), scale = devicePixelRatio || 1;
  const box = network.getBoundingClientRect();
  const width = $('columns').scrollWidth, height = $('columns').offsetHeight;
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  anchors = unitElements.map(element => {
    const r = element.getBoundingClientRect();
    const left = r.left - box.left + network.scrollLeft, top = r.top - box.top + network.scrollTop;
    return {left, right: left + r.width, middle: top + r.height / 2};
  });
}

function curveOf(from, to, index) {
  const a = anchors[from], b = anchors[to];
  if (!a || !b) return null;
  const x1 = a.right, x2 = b.left, bend = (x2 - x1) / 2;
  // A link past layers leaves the straight way, so that it can be seen.
  const past = state.units[to].layer - state.units[from].layer > 1 ? 22 : 0;
  return {x1, y1: a.middle, cx1: x1 + bend, cy1: a.middle + past, cx2: x2 - bend, cy2: b.middle + past, x2, y2: b.middle, index};
}

function drawLinks() {
  const canvas = $('links'), context = canvas.getContext('2d'), scale = devicePixelRatio || 1;
  const numbers = value('colour') === 'gradients' ? frame.gradients : frame.weights;
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, canvas.width, canvas.height);
  if (!numbers || numbers.length !== state.links.length) return;
  const largest = value('colour') === 'gradients' ? Math.max(1e-12, ...numbers.map(Math.abs)) : 1;
  state.links.forEach(([from, to], i) => {
    const c = curveOf(from, to, i);
    if (!c) return;
    const size = Math.min(1, Math.abs(numbers[i]) / largest / (largest === 1 ? 2 : 1));
    const colour = mixed(palette[32], numbers[i] < 0 ? negative : positive, 0.35 + 0.65 * size);
    context.strokeStyle = `rgb(${colour})`;
    context.lineWidth = 0.6 + 7 * size;
    context.beginPath();
    context.moveTo(c.x1, c.y1);
    context.bezierCurveTo(c.cx1, c.cy1, c.cx2, c.cy2, c.x2, c.y2);
    context.stroke();
  });
}

function linkAt(x, y) {
  let best = null, least = 36;
  state.links.forEach(([from, to], i) => {
    const c = curveOf(from, to, i);
    if (!c || x < c.x1 - 4 || x > c.x2 + 4) return;
    for (let k = 1; k < 24; k++) {
      const t = k / 24, u = 1 - t;
      const px = u * u * u * c.x1 + 3 * u * u * t * c.cx1 + 3 * u * t * t * c.cx2 + t * t * t * c.x2;
      const py = u * u * u * c.y1 + 3 * u * u * t * c.cy1 + 3 * u * t * t * c.cy2 + t * t * t * c.y2;
      const distance = (px - x) ** 2 + (py - y) ** 2;
      if (distance < least) { least = distance; best = i; }
    }
  });
  return best;
}

const unitName = place => {
  const unit = state.units[place];
  return unit.layer === 0 ? state.features.find(f => f.name === unit.name).label : unit.name.replace('.', ', unit ');
};

// The numbers of a unit, to be read and changed.
function openUnit(place, link = null) {
  opened = place;
  const panel = $('unit-panel');
  panel.hidden = false;
  panel.textContent = '';
  if (!frame || frame.version !== state.version) return;
  const grid = make('div', {className: 'grid'});
  const first = state.units.findIndex(u => u.layer > 0);
  const field = (id, label, present, members) => {
    const input = make('input', {type: 'number', step: 'any', id, value: (+(+present).toPrecision(6)).toString()});
    input.addEventListener('change', () => { if (input.value !== '') command('edit', {...members, value: +input.value}); });
    grid.append(make('label', {htmlFor: id}, label, input));
    return input;
  };
  field('edit-bias', 'bias', frame.biases[place - first], {bias: place - first});
  let target = null;
  state.links.forEach(([from, to], i) => {
    if (to !== place) return;
    const input = field(`edit-link-${i}`, `from ${unitName(from)}`, frame.weights[i], {link: i});
    if (i === link) target = input;
  });
  const close = make('button', {textContent: 'Close', id: 'unit-close'});
  close.addEventListener('click', () => { opened = null; panel.hidden = true; if (unitElements[place]) unitElements[place].focus(); });
  panel.append(make('div', {className: 'row spread'}, make('strong', {textContent: `Bias and weights of ${unitName(place)}`}), close),
    make('p', {className: 'about', textContent: 'A changed number takes effect before the next step; the program under As C++ makes the same change.'}), grid);
  if (target) { target.focus(); target.select(); }
}

// ---- Frames

let asked = false;
function schedule() {
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => {
    asked = false;
    if (frame && state && frame.version === state.version) draw();
  });
}

function draw() {
  statistics.drawn++;
  setPlaying(frame.playing);
  $('epochs').textContent = frame.epoch.toLocaleString('en');
  $('steps').textContent = frame.step.toLocaleString('en');
  $('rate').textContent = frame.playing && frame.rate ? Math.round(frame.rate).toLocaleString('en') : '–';
  if (frame.message) tell(frame.message, true);
  if (!frame.train) return;
  $('present-rate').textContent = short(frame.learning_rate);
  $('train-loss').textContent = short(frame.train.loss);
  $('test-loss').textContent = short(frame.test.loss);
  $('quality-name').textContent = state.regression ? 'Test R²' : 'Test accuracy';
  const quality = state.regression ? frame.test.r2 : frame.test.accuracy;
  $('quality').textContent = quality === undefined ? '–' : state.regression ? short(quality) : `${(100 * quality).toFixed(1)} %`;
  drawConfusion();
  const discretise = value('discretise') === 'true', large = watched !== null && frame.watched === watched;
  drawMap($('map'), large ? frame.watched_map : frame.map, discretise);
  $('map').setAttribute('aria-label', large ? `What ${unitName(watched)} gives at every place` : 'Output at every place');
  $('output-title').textContent = large ? unitName(watched) : 'Output';
  const first = state.units.findIndex(u => u.layer > 0);
  frame.maps.forEach((text, i) => {
    const button = unitElements[first + i];
    if (!button) return;
    drawMap(button.firstChild, text, discretise);
    mark(button, frame.marks[i], frame.slopes[i]);
  });
  unitElements.slice(first + frame.maps.length).forEach(button => drawMap(button.firstChild, shrunk(frame.map), discretise));
  if (opened !== null && $('unit-panel').childElementCount === 0) openUnit(opened);
  refreshUnit(first);
  drawLinks();
  drawCurve();
}

const shrunk = text => {
  let small = '';
  for (let row = 2; row < 100; row += 5) for (let column = 2; column < 100; column += 5) small += text[100 * row + column];
  return small;
};

function mark(button, letter, slope) {
  const dead = letter === 'd', saturated = letter === 's';
  button.classList.toggle('dead', dead);
  button.classList.toggle('saturated', saturated);
  let badge = button.querySelector('.mark');
  if (!dead && !saturated) { if (badge) badge.remove(); }
  else {
    if (!badge) button.append(badge = make('span', {className: 'mark'}));
    badge.textContent = dead ? 'dead' : 'sat';
    button.title = dead ? 'Dead: at its bound for every training point, so that nothing is learned through it.'
                        : 'Saturated: at an end of its range for nearly every training point, so that little is learned through it.';
  }
  if (slope === null || slope === undefined) return;
  let line = button.querySelector('.slope');
  if (!line) button.append(line = make('span', {className: 'slope', title: 'The learned slope for negative sums.'}));
  line.textContent = `slope ${short(slope)}`;
}

function refreshUnit(first) {
  if (opened === null) return;
  const put = (input, number) => {
    if (input && input !== document.activeElement && number !== undefined) input.value = (+(+number).toPrecision(6)).toString();
  };
  put($('edit-bias'), frame.biases[opened - first]);
  for (const input of document.querySelectorAll('[id^="edit-link-"]')) put(input, frame.weights[+input.id.slice(10)]);
}

function drawConfusion() {
  const box = $('confusion');
  if (!frame.test.confusion) { box.textContent = ''; return; }
  if (!box.firstChild) {
    const cell = id => make('td', {id});
    box.append(make('table', {},
      make('caption', {textContent: 'Test points: label and prediction'}),
      make('tr', {}, make('th', {}), make('th', {textContent: 'said −1', scope: 'col'}), make('th', {textContent: 'said 1', scope: 'col'})),
      make('tr', {}, make('th', {textContent: 'is −1', scope: 'row'}), cell('cm-00'), cell('cm-01')),
      make('tr', {}, make('th', {textContent: 'is 1', scope: 'row'}), cell('cm-10'), cell('cm-11'))));
  }
  for (const i of [0, 1]) for (const j of [0, 1]) $(`cm-${i}${j}`).textContent = frame.test.confusion[i][j];
}

// ---- Curves

let cursor = null;
function drawCurve() {
  const canvas = $('curve'), context = canvas.getContext('2d'), scale = devicePixelRatio || 1;
  const width = canvas.clientWidth, height = canvas.clientHeight, left = 44, bottom = 16;
  if (canvas.width !== Math.round(width * scale)) canvas.width = Math.round(width * scale);
  if (canvas.height !== Math.round(height * scale)) canvas.height = Math.round(height * scale);
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
  const points = [...frame.curve, [frame.epoch, frame.step, frame.train.loss, frame.test.loss]].filter(p => Number.isFinite(p[2]) && Number.isFinite(p[3]));
  const style = getComputedStyle(document.documentElement), text = style.getPropertyValue('--text'), quiet = style.getPropertyValue('--quiet');
  const top = Math.max(1e-9, ...points.map(p => Math.max(p[2], p[3]))), last = Math.max(1, ...points.map(p => p[1]));
  const x = p => left + (width - left - 6) * Math.log1p(p[1]) / Math.log1p(last), y = loss => 5 + (height - bottom - 8) * (1 - loss / top);
  context.font = '10.5px system-ui, sans-serif';
  context.fillStyle = quiet;
  context.textAlign = 'right';
  context.fillText(short(top), left - 4, 12);
  context.fillText('0', left - 4, height - bottom);
  context.fillText(`step ${frame.step.toLocaleString('en')}`, width - 4, height - 4);
  context.textAlign = 'center';
  for (let step = 10; step < last / 8; step *= 10) {
    const at = x([0, step]);
    context.fillText(step >= 1e6 ? `${step / 1e6}M` : step >= 1000 ? `${step / 1000}k` : step, at, height - 4);
    context.fillRect(at, height - bottom - 5, 1, 3);
  }
  context.strokeStyle = style.getPropertyValue('--line');
  context.strokeRect(left, 4, width - left - 5, height - bottom - 6);
  const line = (which, dash, colour) => {
    context.strokeStyle = colour;
    context.lineWidth = 1.6;
    context.setLineDash(dash);
    context.beginPath();
    points.forEach((p, i) => i ? context.lineTo(x(p), y(p[which])) : context.moveTo(x(p), y(p[which])));
    context.stroke();
    context.setLineDash([]);
  };
  line(2, [], quiet);
  line(3, [5, 3], text);
  canvas.setAttribute('aria-label', `Losses by epoch; now training ${short(frame.train.loss)}, test ${short(frame.test.loss)}`);
  statistics.curve = {points, x};
  if (cursor !== null && points.length) {
    const p = points[Math.max(0, Math.min(points.length - 1, cursor))];
    context.strokeStyle = text;
    context.beginPath();
    context.moveTo(x(p), 4);
    context.lineTo(x(p), height - bottom);
    context.stroke();
    $('curve-note').textContent = `Epoch ${p[0].toLocaleString('en')}, step ${p[1].toLocaleString('en')}: training loss ${short(p[2])}, test loss ${short(p[3])}.`;
  }
}

// ---- Points

let own = [];
function drawPoints() {
  const canvas = $('points'), scale = devicePixelRatio || 1, side = Math.round(300 * scale);
  if (canvas.width !== side) canvas.width = canvas.height = side;
  const context = canvas.getContext('2d');
  context.setTransform(side / 300, 0, 0, side / 300, 0, 0);
  context.clearRect(0, 0, 300, 300);
  const showTest = value('show_test') === 'true';
  const dot = ([x1, x2, label], test) => {
    const x = 150 + 25 * x1, y = 150 - 25 * x2;
    context.fillStyle = `rgb(${palette[Math.max(0, Math.min(63, Math.floor((label + 1) * 32)))]})`;
    context.strokeStyle = test ? '#000' : '#fff';
    context.lineWidth = test ? 1.3 : 0.9;
    context.beginPath();
    if (label < 0 && !state.regression) context.rect(x - 2.8, y - 2.8, 5.6, 5.6);  // so that classes differ in shape, too
    else context.arc(x, y, 3.2, 0, 7);
    context.fill();
    context.stroke();
  };
  const shown = drawing() !== 'off' || (own.length && own.length < 4) ? own.map(p => [...p, false]) : null;
  if (shown) shown.forEach(p => dot(p, false));
  else state.points.forEach((p, i) => {
    const test = i >= state.train_rows;
    if (!test || showTest) dot(p, test);
  });
  canvas.classList.toggle('drawing', drawing() !== 'off');
}
const drawing = () => document.querySelector('input[name="pen"]:checked').value;

let sending = null;
function ownChanged() {
  drawPoints();
  $('csv-note').textContent = '';
  $('own-note').textContent = own.length < 4 ? `${own.length} point${own.length === 1 ? '' : 's'}; four make a data set.` : `${own.length} points.`;
  clearTimeout(sending);
  if (own.length < 4) return;
  sending = setTimeout(() => set({data: 'own', own: own.map(p => p.join(':')).join(',')}), 250);
}
function useOwn() {
  $('own-panel').open = true;
  own = listed(value('own')).map(p => p.split(':').map(Number));
  if (own.length >= 4) set({data: 'own'});
  else {
    document.querySelector('input[name="pen"][value="1"]').checked = true;
    ownChanged();
  }
}
const rounded = x => Math.round(Math.max(-6, Math.min(6, x)) * 100) / 100;
function pen(event) {
  const kind = drawing(), box = $('points').getBoundingClientRect();
  const x1 = rounded((event.clientX - box.left) / box.width * 12 - 6), x2 = rounded(6 - (event.clientY - box.top) / box.height * 12);
  if (kind === 'erase') own = own.filter(p => (p[0] - x1) ** 2 + (p[1] - x2) ** 2 > 0.16);
  else if (own.length < 5000 && (!own.length || (own.at(-1)[0] - x1) ** 2 + (own.at(-1)[1] - x2) ** 2 > 0.04)) own.push([x1, x2, +kind]);
  ownChanged();
}

// ---- Tools

function show(...content) {
  $('tool').textContent = '';
  $('tool').append(...content);
  $('tool').scrollIntoView({block: 'nearest'});
}
function table(caption, heads, rows, texts = 1) {
  const cells = (tag, row) => make('tr', {}, ...row.map((c, i) => make(tag, {textContent: c, className: i < texts ? 'text' : ''})));
  return make('table', {}, make('caption', {textContent: caption}), cells('th', heads), ...rows.map(r => cells('td', r)));
}
const shapeText = shape => `(${shape.join(', ')}${shape.length === 1 ? ',' : ''})`;

async function showCheck() {
  const report = await command('check_gradients');
  if (!report) return;
  const rows = report.rows.map(r => [r.name, shapeText(r.shape), r.verdict, short(r.numerical), short(r.analytical), r.relative_error === null ? '–' : short(r.relative_error)]);
  show(make('p', {id: 'verdict', textContent: report.ok ? 'Every gradient agrees with differences of the loss, in double precision.' : 'Not every gradient agrees.', className: report.ok ? '' : 'bad'}),
    table('Gradients, each at its worst entry', ['parameter', 'shape', 'verdict', 'by differences', 'by the tape', 'relative error'], rows, 3),
    ...report.rows.filter(r => r.note).map(r => make('p', {className: 'about', textContent: `${r.name}: ${r.note}`})));
}
async function showTape() {
  const tape = await command('tape');
  if (!tape) return;
  const rows = tape.rows.map((r, i) => [`%${i}`, r.operation, r.layer, r.inputs, r.output, r.bytes, Math.round(r.nanoseconds)]);
  show(table('Operations of a step, in order', ['', 'operation', 'layer', 'takes', 'gives', 'bytes', 'ns'], rows, 5),
    make('p', {textContent: `Forward ${Math.round(tape.forward_ns)} ns, backward ${Math.round(tape.backward_ns)} ns, optimizer ${Math.round(tape.update_ns)} ns; ${tape.saved_bytes} bytes saved for backward. Medians of 30 runs.`}));
}
async function showDoctor() {
  const report = await command('doctor');
  if (!report) return;
  show(make('p', {textContent: report.findings.length ? `${report.findings.length} finding${report.findings.length === 1 ? '' : 's'}; begin with the first, others may follow from it.` : 'Nothing is wrong.', className: report.ok ? '' : 'bad'}),
    ...report.findings.map(f => make('p', {textContent: `${f.layer}, ${f.check}: ${f.text}`})),
    table('Checks before the first step', ['check', 'verdict', 'measured'], report.checks.map(c => [c.name, c.verdict, c.measured || c.skipped || '']), 3));
}
async function showProgram() {
  const answer = await command('program');
  if (!answer) return;
  const copy = make('button', {textContent: 'Copy'});
  copy.addEventListener('click', () => navigator.clipboard.writeText(answer.program));
  show(make('div', {className: 'row'}, make('strong', {textContent: 'This training as a program'}), copy), make('pre', {id: 'program-text', tabIndex: 0, textContent: answer.program}));
}
const save = () => inOrder(async () => {
  try {
    const bytes = await (await ask(`session/${session}/model`)).blob();
    const link = make('a', {href: URL.createObjectURL(bytes), download: 'playground.safetensors'});
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    show(make('p', {textContent: `Saved playground.safetensors, ${bytes.size} bytes.`}));
  } catch (error) { complain(error); }
});
const load = file => inOrder(async () => {
  try {
    take(await (await ask(`session/${session}/model`, {method: 'POST', body: await file.arrayBuffer()})).json());
    tell('');
    show(make('p', {textContent: `Loaded ${file.name}.`}));
  } catch (error) { complain(error); }
});

// ---- Hints on hover

function hint(text, event) {
  $('hint').hidden = !text;
  if (!text) return;
  $('hint').textContent = text;
  $('hint').style.left = `${Math.min(event.clientX + 12, innerWidth - 270)}px`;
  $('hint').style.top = `${event.clientY + 14}px`;
}

// ---- Begin

function connect() {
  $('play').addEventListener('click', () => command($('play').getAttribute('aria-pressed') === 'true' ? 'pause' : 'play'));
  $('reset').addEventListener('click', () => command('reset'));
  $('step').addEventListener('click', () => command('step', {steps: 1}));
  $('epoch').addEventListener('click', () => command('epoch'));
  $('reseed').addEventListener('click', () => set(() => ({seed: String(+value('seed') + 1)})));
  $('repoint').addEventListener('click', () => set(() => ({data_seed: String(+value('data_seed') + 1)})));
  $('layer-more').addEventListener('click', () => setLayers(all => [...all, {units: 2, activation: all.at(-1)?.activation || 'tanh', dropout: '0'}]));
  $('layer-less').addEventListener('click', () => setLayers(all => all.slice(0, -1)));
  $('theme').addEventListener('click', () => {
    localStorage.setItem('playground-theme', theme === 'dark' ? 'light' : 'dark');
    choosePalette();
    sketchDatasets(controls.find(c => c.name === 'data').choices);
    rendered = null;
    render();
  });
  $('datasets').addEventListener('keydown', event => {
    const step = {ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1}[event.key];
    if (!step) return;
    event.preventDefault();
    const all = [...$('datasets').children], next = all[(all.indexOf(document.activeElement) + step + all.length) % all.length];
    next.focus();
    next.click();
  });
  document.addEventListener('keydown', event => {
    if (event.ctrlKey || event.metaKey || event.altKey || /INPUT|SELECT|TEXTAREA/.test(event.target.tagName)) return;
    if (event.key === 'p') $('play').click();
    if (event.key === 's') $('step').click();
  });
  $('csv').addEventListener('change', async () => {
    const file = $('csv').files[0];
    if (!file) return;
    $('csv').value = '';
    $('csv-note').className = '';
    $('csv-note').textContent = 'Reading…';
    const json = await command('csv', {text: await file.text()});
    $('csv-note').textContent = json ? json.note : $('message').textContent;
    $('csv-note').className = json ? '' : 'bad';
    if (json) { own = []; document.querySelector('input[name="pen"][value="off"]').checked = true; drawPoints(); }
  });
  for (const radio of document.querySelectorAll('input[name="pen"]'))
    radio.addEventListener('change', () => {
      if (!own.length && value('data') === 'own') own = listed(value('own')).map(p => p.split(':').map(Number));
      drawPoints();
    });
  let down = false;
  $('points').addEventListener('pointerdown', event => { if (drawing() !== 'off') { down = true; $('points').setPointerCapture(event.pointerId); pen(event); } });
  $('points').addEventListener('pointermove', event => { if (down) pen(event); });
  $('points').addEventListener('pointerup', () => down = false);
  $('own-add').addEventListener('click', () => { own.push([rounded($('own-x1').value), rounded($('own-x2').value), Math.max(-1, Math.min(1, +$('own-label').value))]); ownChanged(); });
  $('own-clear').addEventListener('click', () => { own = []; ownChanged(); });
  $('check').addEventListener('click', showCheck);
  $('tape').addEventListener('click', showTape);
  $('doctor').addEventListener('click', showDoctor);
  $('program').addEventListener('click', showProgram);
  $('save').addEventListener('click', save);
  $('load').addEventListener('change', () => { const file = $('load').files[0]; $('load').value = ''; if (file) load(file); });
  const network = $('network');
  const place = event => { const b = network.getBoundingClientRect(); return [event.clientX - b.left + network.scrollLeft, event.clientY - b.top + network.scrollTop]; };
  network.addEventListener('mousemove', event => {
    const i = frame && state && !event.target.closest('.unit, .head') ? linkAt(...place(event)) : null;
    network.style.cursor = i === null ? '' : 'pointer';
    if (i === null) return hint('');
    const [from, to] = state.links[i];
    const gradient = frame.gradients ? `, gradient ${short(frame.gradients[i])}` : '';
    hint(`${unitName(from)} → ${unitName(to)}: weight ${short(frame.weights[i])}${gradient}. Press to change it.`, event);
  });
  network.addEventListener('mouseleave', () => hint(''));
  network.addEventListener('click', event => {
    const i = frame && !event.target.closest('.unit, .head') ? linkAt(...place(event)) : null;
    if (i !== null) openUnit(state.links[i][1], i);
  });
  const curve = $('curve');
  curve.addEventListener('mousemove', event => {
    if (!statistics.curve) return;
    const {points, x} = statistics.curve, at = event.clientX - curve.getBoundingClientRect().left;
    cursor = points.reduce((best, p, i) => Math.abs(x(p) - at) < Math.abs(x(points[best]) - at) ? i : best, 0);
    schedule();
  });
  curve.addEventListener('mouseleave', () => { cursor = null; schedule(); });
  curve.addEventListener('keydown', event => {
    const step = {ArrowRight: 1, ArrowLeft: -1}[event.key];
    if (!step || !statistics.curve) return;
    event.preventDefault();
    cursor = Math.max(0, Math.min(statistics.curve.points.length - 1, (cursor === null ? statistics.curve.points.length : cursor) + step));
    schedule();
  });
  $('points').addEventListener('mousemove', event => {
    const b = $('points').getBoundingClientRect(), x1 = rounded((event.clientX - b.left) / b.width * 12 - 6), x2 = rounded(6 - (event.clientY - b.top) / b.height * 12);
    if (!frame || !frame.map) return;
    const map = $('output-title').textContent === 'Output' ? frame.map : frame.watched_map;
    const row = Math.min(99, Math.floor((6 - x2) / 0.12)), column = Math.min(99, Math.floor((x1 + 6) / 0.12));
    if (map) hint(`x₁ ${x1}, x₂ ${x2}: ${((level[map.charCodeAt(100 * row + column)] + 0.5) / 32 - 1).toFixed(2)}`, event);
  });
  $('points').addEventListener('mouseleave', () => hint(''));
  document.addEventListener('visibilitychange', listen);
  addEventListener('hashchange', () => {
    const text = decodeURI(location.hash.slice(1));
    if (state && text !== state.address) command('restore', {address: text});
  });
  // A page that is left needs no frames; one that comes back by the browser's memory finds its session, or begins anew.
  addEventListener('pagehide', event => {
    if (stream) stream.close();
    if (session && !event.persisted) fetch(`session/${session}`, {method: 'DELETE', keepalive: true});
  });
  addEventListener('pageshow', event => { if (event.persisted) command('state').then(json => json && listen()); });
  addEventListener('resize', () => { if (state) { layoutLinks(); schedule(); } });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => { choosePalette(); if (state) { rendered = null; render(); } });
}
(async () => {
  choosePalette();
  try {
    controls = await (await ask('controls')).json();
    buildControls();
    connect();
    await begin(location.hash);
  } catch (error) { complain(error); }
})();
