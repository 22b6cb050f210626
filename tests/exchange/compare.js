// compare.js FOLDER: runs the models of a folder's list in onnxruntime and compares with the outputs there.
const fs = require("fs");
const path = require("path");
const ort = require("onnxruntime-node");

async function main(folder) {
  let failed = 0, worst = 0, count = 0;
  for (const line of fs.readFileSync(path.join(folder, "list"), "utf8").trim().split("\n")) {
    const [name, dtype, ...shape] = line.split(" ");
    const bytes = (ending) => new Uint8Array(fs.readFileSync(path.join(folder, name + ending))).buffer;
    const inputs = dtype === "int64" ? new BigInt64Array(bytes(".inputs")) : new Float32Array(bytes(".inputs"));
    const expected = new Float32Array(bytes(".outputs"));
    const session = await ort.InferenceSession.create(path.join(folder, name + ".onnx"));
    const { output } = await session.run({ input: new ort.Tensor(dtype, inputs, shape.map(Number)) });
    let largest = 0, difference = output.data.length === expected.length ? 0 : Infinity;
    for (let i = 0; i < expected.length; ++i) {
      largest = Math.max(largest, Math.abs(expected[i]));
      const one = Math.abs(expected[i] - output.data[i]);
      difference = one <= difference ? difference : Number.isNaN(one) ? Infinity : one;
    }
    ++count;
    worst = Math.max(worst, difference / largest);
    if (!(difference <= 1e-5 * largest)) {
      ++failed;
      console.log(`${name}: ${difference / largest} of the largest output`);
    }
  }
  console.log(`${count} models in onnxruntime, ${failed} differ by more than 1e-5 of the largest output, at most ${worst}`);
  process.exit(failed > 0 || count === 0 ? 1 : 0);
}

main(process.argv[2]);
