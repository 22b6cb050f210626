#!/usr/bin/python3
"""browser.py PROGRAM FOLDER: the playground's page in headless Chromium. Every control is used once; screenshots stay in
the folder."""

import json
import pathlib
import sys
import tempfile
import time
import unittest

from selenium import webdriver
from selenium.common.exceptions import ElementClickInterceptedException, StaleElementReferenceException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from program import Playground

program, folder = sys.argv[1], pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else "build/out/playground")
downloads = tempfile.TemporaryDirectory()


def browser(width=1400, height=1000, dark=False):
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for flag in ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", f"--window-size={width},{height}"]:
        options.add_argument(flag)
    if dark:
        options.add_argument("--force-dark-mode")
        options.add_argument("--blink-settings=preferredColorScheme=0")
    options.add_experimental_option("prefs", {"download.default_directory": downloads.name})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)


class Page(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.playground = Playground(program)
        cls.driver = browser()

    @classmethod
    def tearDownClass(cls):
        cls.driver.quit()
        cls.playground.end()

    def setUp(self):
        self.open("")

    def tearDown(self):
        problems = [entry for entry in self.driver.get_log("browser")
                    if entry["level"] == "SEVERE" and "400 (Bad Request)" not in entry["message"]]
        self.assertEqual(problems, [])

    def open(self, address):
        self.driver.get("about:blank")
        self.driver.get(f"{self.playground.address}#{address}")
        self.wait(lambda: self.js("return !!(playground.state && playground.frame && playground.frame.version === playground.state.version)"))

    def js(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def id(self, name):
        return self.driver.find_element(By.ID, name)

    def click(self, name):
        for attempt in range(5):
            element = self.id(name)
            self.js("arguments[0].scrollIntoView({block: 'center'})", element)
            try:
                return element.click()
            except (ElementClickInterceptedException, StaleElementReferenceException):  # the page has moved meanwhile
                if attempt == 4:
                    raise
                time.sleep(0.3)

    def text(self, name):
        return self.js("return document.getElementById(arguments[0]).textContent", name)

    def wait(self, condition, seconds=60):
        end = time.monotonic() + seconds
        while not condition():
            self.assertLess(time.monotonic(), end, "nothing happened: " + str(self.js("return document.getElementById('message').textContent")))
            time.sleep(0.05)

    def settings(self):
        return self.js("return playground.state.settings")

    def frame(self):
        return self.js("return playground.frame")

    def choose(self, name, value):
        Select(self.id(f"c-{name}")).select_by_value(value)
        self.wait(lambda: self.settings()[name] == value)

    def put(self, name, value):
        element = self.id(f"c-{name}")
        self.js("arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('change'))", element, value)
        self.wait(lambda: self.settings()[name] == value)

    def steps(self, count):
        """Trains so many steps through the page's own function, and waits for them."""
        before = self.frame()["step"]
        self.js("command('step', {steps: arguments[0]})", count)
        self.wait(lambda: self.frame()["step"] == before + count and not self.frame()["playing"], 120)

    def picture(self, name):
        folder.mkdir(parents=True, exist_ok=True)
        height = self.js("return document.documentElement.scrollHeight")
        size = self.driver.get_window_size()
        self.driver.set_window_size(size["width"], min(height + 150, 3000))
        time.sleep(0.4)
        self.driver.save_screenshot(str(folder / f"{name}.png"))
        self.driver.set_window_size(size["width"], size["height"])

    def test_transport(self):
        self.click("step")
        self.wait(lambda: self.frame()["step"] == 1)
        self.click("epoch")
        self.wait(lambda: self.frame()["epoch"] == 1 and not self.frame()["playing"])
        first = self.frame()["weights"]
        self.click("play")
        self.wait(lambda: self.frame()["step"] > 1000)
        self.click("play")
        self.wait(lambda: not self.frame()["playing"])
        self.click("reset")
        self.wait(lambda: self.frame()["step"] == 0)
        self.click("epoch")
        self.wait(lambda: self.frame()["epoch"] == 1 and not self.frame()["playing"])
        self.assertEqual(self.frame()["weights"], first)
        self.click("reseed")
        self.wait(lambda: self.settings()["seed"] == "2")
        self.driver.find_element(By.TAG_NAME, "body").send_keys("s")
        self.wait(lambda: self.frame()["step"] == 1)

    def test_every_control_of_the_table(self):
        """Each choice of each control through its element, each number at both ends of its range."""
        for row in self.js("return controls"):
            if row["name"] in ("data", "features", "layers", "own", "events"):
                continue
            if row["name"] in ("momentum", "schedule_steps", "penalty_rate"):
                self.choose({"momentum": "optimizer", "schedule_steps": "schedule", "penalty_rate": "penalty"}[row["name"]],
                            {"momentum": "momentum", "schedule_steps": "cosine", "penalty_rate": "l1"}[row["name"]])
            about = self.id(f"c-{row['name']}").get_attribute("aria-describedby")
            self.assertEqual(self.text(about), row["about"])
            if row["kind"] == "choice":
                for choice in row["choices"]:
                    self.choose(row["name"], choice)
                self.choose(row["name"], row["value"])
            elif row["kind"] == "toggle":
                for wanted in ("true", "false"):
                    self.click(f"c-{row['name']}")
                    self.wait(lambda: self.settings()[row["name"]] == wanted)
            else:
                for value in (row["minimum"], row["maximum"], row["value"]):
                    self.put(row["name"], str(value))
        self.put("noise", "25")
        self.click("repoint")
        self.wait(lambda: self.settings()["data_seed"] == "2")

    def test_a_value_out_of_range_is_refused_in_words(self):
        self.js("const e = document.getElementById('c-batch'); e.value = '5000'; e.dispatchEvent(new Event('change'))")
        self.wait(lambda: "batch" in self.text("message"))
        self.assertEqual(self.settings()["batch"], "10")

    def test_data_sets(self):
        for name in ("circle", "xor", "gauss", "spiral", "plane", "multi-gauss"):
            self.click(f"data-{name}")
            self.wait(lambda: self.settings()["data"] == name)
            self.put("learning_rate", "0.03")
            self.steps(3000)
            self.assertEqual(self.text("quality-name"), "Test R²" if name in ("plane", "multi-gauss") else "Test accuracy")
            self.picture(f"data_{name}")

    def test_features_layers_and_units(self):
        self.click("feature-sin(x1)")
        self.wait(lambda: self.settings()["features"] == "x1,x2,sin(x1)")
        self.click("feature-x2")
        self.wait(lambda: self.settings()["features"] == "x1,sin(x1)")
        for _ in range(4):
            self.click("layer-more")
        self.wait(lambda: self.settings()["layers"].count(",") == 5)
        self.click("more-0")
        self.wait(lambda: self.settings()["layers"].startswith("5:tanh"))
        self.click("less-1")
        self.wait(lambda: ",1:tanh" in self.settings()["layers"])
        self.click("layer-less")
        self.wait(lambda: self.settings()["layers"].count(",") == 4)
        Select(self.id("activation-0")).select_by_value("prelu")
        self.wait(lambda: self.settings()["layers"].startswith("5:prelu"))
        Select(self.id("dropout-0")).select_by_value("0.2")
        self.wait(lambda: self.settings()["layers"].startswith("5:prelu:0.2"))
        self.steps(200)
        self.assertIn("slope", self.text("unit-1-1"))

    def test_clicks_that_come_before_the_answers_all_count(self):
        seed = int(self.settings()["seed"])
        self.js("""for (const id of ['layer-more', 'layer-more', 'more-0', 'more-0', 'less-1', 'feature-sin(x1)', 'feature-x2', 'reseed', 'reseed'])
            document.getElementById(id).click();""")
        self.wait(lambda: int(self.settings()["seed"]) == seed + 2, 10)
        self.assertEqual(self.settings()["layers"], "6:tanh,1:tanh,2:tanh,2:tanh")
        self.assertEqual(self.settings()["features"], "x1,sin(x1)")

    def test_units_are_shown_large_and_numbers_edited(self):
        unit = self.id("unit-1-2")
        ActionChains(self.driver).move_to_element(unit).perform()
        self.wait(lambda: self.frame().get("watched") == 3 and self.text("output-title") == "hidden1, unit 2")
        unit.click()
        field = self.id("edit-link-1")
        field.send_keys(Keys.CONTROL, "a")
        field.send_keys("1.5", Keys.TAB)
        self.wait(lambda: self.frame()["weights"][1] == 1.5)
        field = self.id("edit-bias")
        field.send_keys(Keys.CONTROL, "a")
        field.send_keys("-0.5", Keys.TAB)
        self.wait(lambda: self.frame()["biases"][1] == -0.5)
        self.wait(lambda: self.settings()["events"] == "0:hidden1.weight/1:1.5,0:hidden1.bias/1:-0.5")
        self.click("unit-close")
        # A link is found by pointing at it.
        x, y = self.js("const c = curveOf(0, 2, 0), b = document.getElementById('network').getBoundingClientRect();"
                       "return [b.left + (c.x1 + c.x2) / 2, b.top + (c.y1 + c.y2) / 2]")
        action = ActionChains(self.driver)
        action.w3c_actions.pointer_action.move_to_location(int(x), int(y))
        action.perform()
        self.wait(lambda: "weight" in self.text("hint"))
        action = ActionChains(self.driver)
        action.w3c_actions.pointer_action.move_to_location(int(x), int(y)).click()
        action.perform()
        self.wait(lambda: self.js("return document.activeElement.id") == "edit-link-0")

    def test_the_spiral_is_learned(self):
        self.open("data=spiral&features=x1,x2,sin(x1),sin(x2)&layers=8:tanh,8:tanh&optimizer=adam&learning_rate=0.01")
        self.click("play")
        self.wait(lambda: (self.frame()["test"] or {}).get("accuracy", 0) >= 0.95, 120)
        self.click("play")
        self.wait(lambda: not self.frame()["playing"])
        self.picture("spiral_learned")

    def test_the_address_restores_everything_in_a_second_tab(self):
        self.click("data-xor")
        self.wait(lambda: self.settings()["data"] == "xor")
        self.choose("optimizer", "adam")
        self.steps(120)
        self.put("learning_rate", "0.005")
        self.steps(80)
        weights, address = self.frame()["weights"], self.driver.current_url
        self.assertIn("events=120:learning_rate:0.005", address)
        first = self.driver.current_window_handle
        self.driver.switch_to.new_window("tab")
        self.driver.get(address)
        self.wait(lambda: self.js("return !!(playground.state && playground.frame)"))
        self.steps(200)
        self.assertEqual(self.frame()["weights"], weights)
        self.driver.close()
        self.driver.switch_to.window(first)
        self.wait(lambda: self.frame()["weights"] == weights)

    def test_an_address_that_is_not_understood_is_explained(self):
        self.open("data=nothing")
        self.wait(lambda: "data: 'nothing'" in self.text("message"))
        self.assertEqual(self.settings()["data"], "circle")

    def test_a_loss_that_is_not_finite_is_explained(self):
        self.open("data=plane&layers=8:relu&learning_rate=10")
        self.click("play")
        self.wait(lambda: "not finite" in self.text("message"))
        self.assertRegex(self.text("message"), r"step \d+, layer \w+: .*(linear|mse|relu|optimizer)")
        self.picture("not_finite")
        self.click("doctor")
        self.wait(lambda: "learning rate" in self.text("tool"))

    def test_own_points(self):
        with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
            file.write("x,y,kind\n" + "".join(f"{i / 10},{(i * 7 % 40) / 10 - 2},{'up' if (i * 7 % 40) > 20 else 'down'}\n" for i in range(50)))
            file.flush()
            self.id("own-panel").find_element(By.TAG_NAME, "summary").click()
            self.id("csv").send_keys(file.name)
            self.wait(lambda: "50 points. -1 stands for down, 1 for up." in self.text("csv-note"))
            self.assertEqual(self.settings()["data"], "own")
            self.steps(500)
        with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
            file.write("1,2,1\n2,oops,1\n")
            file.flush()
            self.id("csv").send_keys(file.name)
            self.wait(lambda: "data.csv:2:3" in self.text("csv-note"))
        # Drawn with the mouse, then by numbers.
        self.js("document.querySelector('input[name=pen][value=\"1\"]').click(); document.getElementById('own-clear').click()")
        canvas = self.id("points")
        self.js("arguments[0].scrollIntoView({block: 'center'})", canvas)
        for x, y, label in ((-80, -60, "1"), (-60, -80, "1"), (60, 80, "-1"), (80, 60, "-1")):
            self.js("document.querySelector(`input[name=pen][value=\"${arguments[0]}\"]`).click()", label)
            ActionChains(self.driver).move_to_element_with_offset(canvas, x, y).click().perform()
        self.wait(lambda: self.settings()["own"].count(",") == 3)
        self.js("document.getElementById('own-x1').value = 2; document.getElementById('own-add').click()")
        self.wait(lambda: self.settings()["own"].endswith("2:0:1"))
        self.steps(500)
        self.picture("own_points")

    def test_tools(self):
        self.steps(50)
        self.click("check")
        self.wait(lambda: "Every gradient agrees" in self.text("tool"))
        self.assertIn("hidden1.weight", self.text("tool"))
        self.picture("check_gradients")
        self.click("tape")
        self.wait(lambda: "linear" in self.text("tool"))
        self.picture("tape")
        self.click("program")
        self.wait(lambda: "struct Net : nn::Module" in self.text("tool"))
        self.choose("colour", "gradients")
        self.wait(lambda: self.frame().get("gradients"))

    def test_a_model_is_saved_and_loaded_again(self):
        self.steps(300)
        weights = self.frame()["weights"]
        self.click("save")
        saved = pathlib.Path(downloads.name) / "playground.safetensors"
        self.wait(saved.exists)
        self.click("reset")
        self.wait(lambda: self.frame()["step"] == 0 and self.frame()["weights"] != weights)
        self.id("load").send_keys(str(saved))
        self.wait(lambda: self.frame()["weights"] == weights)
        self.click("layer-more")
        self.wait(lambda: self.settings()["layers"].count(",") == 2)
        self.id("load").send_keys(str(saved))  # a file of another network says of which
        self.wait(lambda: self.settings()["layers"] == "4:tanh,2:tanh" and self.frame()["weights"] == weights)
        saved.write_bytes(saved.read_bytes()[:-1])
        self.id("load").send_keys(str(saved))
        self.wait(lambda: "the model's file" in self.text("message"))
        saved.unlink()

    def test_values_on_the_curves(self):
        self.steps(500)
        ActionChains(self.driver).move_to_element(self.id("curve")).perform()
        self.wait(lambda: "training loss" in self.text("curve-note") and "Epoch" in self.text("curve-note"))
        self.id("curve").send_keys(Keys.ARROW_RIGHT)

    def test_a_hidden_tab_closes_its_stream(self):
        self.click("play")
        first = self.driver.current_window_handle
        self.driver.switch_to.new_window("tab")
        self.driver.get("about:blank")
        time.sleep(1)
        self.driver.switch_to.window(first)
        self.wait(lambda: self.frame()["step"] > 100)
        self.click("play")

    def test_keyboard_and_names(self):
        """Every control has a name, and can be reached and worked by keys."""
        unnamed = self.js("""
          return [...document.querySelectorAll('button, input, select, [tabindex="0"]')].filter(e => {
            const label = e.labels && e.labels.length ? e.labels[0].textContent : '';
            return !(e.getAttribute('aria-label') || label.trim() || e.textContent.trim());
          }).map(e => e.id || e.outerHTML)""")
        self.assertEqual(unnamed, [])
        self.js("document.getElementById('unit-1-1').focus()")
        self.wait(lambda: self.frame().get("watched") == 2)
        self.driver.switch_to.active_element.send_keys(Keys.ENTER)
        self.wait(lambda: self.id("edit-bias").is_displayed())
        self.js("document.getElementById('data-circle').focus()")
        self.driver.switch_to.active_element.send_keys(Keys.ARROW_RIGHT)
        self.wait(lambda: self.settings()["data"] == "xor")
        # Contrast of text by WCAG 2.1, 1.4.3: 4.5 at least, in both themes.
        for _ in range(2):
            ratios = self.js("""
              const parse = c => c.match(/[\\d.]+/g).map(Number);
              const light = c => { const [r, g, b] = parse(c).map(v => v / 255).map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b; };
              const back = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor; if (parse(c)[3] !== 0) return c; } return 'rgb(255,255,255)'; };
              return [...document.querySelectorAll('h1, h2, p, dt, dd, label, button, th, td')].filter(e => e.offsetParent && !e.disabled && !e.closest('[aria-pressed="false"].unit')).map(e => {
                const a = light(getComputedStyle(e).color), b = light(back(e));
                return [(Math.max(a, b) + .05) / (Math.min(a, b) + .05), e.id || e.textContent.slice(0, 30)];
              }).filter(r => r[0] < 4.5)""")
            self.assertEqual(ratios, [])
            self.click("theme")
        self.js("localStorage.clear()")

    def test_pictures_of_layouts(self):
        for name, width, height, theme in (("light", 1400, 1000, "light"), ("dark", 1400, 1000, "dark"),
                                           ("tablet", 1024, 800, "light"), ("telephone", 400, 800, "light"), ("telephone_dark", 400, 800, "dark")):
            self.driver.set_window_size(width, height)
            self.js("localStorage.setItem('playground-theme', arguments[0])", theme)
            self.open("data=circle&layers=6:tanh,4:relu,2:tanh&show_test=true")
            self.steps(2000)
            self.picture(name)
            overflow = self.js("return document.documentElement.scrollWidth - innerWidth")
            self.assertLessEqual(overflow, 0, name)
        self.js("localStorage.clear()")
        self.driver.set_window_size(1400, 1000)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[3:], verbosity=2)
