//! As much of WebDriver (<https://www.w3.org/TR/webdriver2/>) as the tests need, spoken with Debian's
//! chromedriver.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

const DRIVERS: [&str; 2] = ["chromedriver", "/usr/lib/chromium/chromedriver"];
const BROWSERS: [&str; 3] = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
/// The name of an element in answers (WebDriver, section 12.1).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
const CONTROL: char = '\u{e009}';
pub(super) const TAB: char = '\u{e004}';
pub(super) const ENTER: char = '\u{e007}';
pub(super) const ESCAPE: char = '\u{e00c}';
pub(super) const SPACE: char = '\u{e00d}';
/// How often something is looked for that takes a moment.
const LOOKS: usize = 2_000;

/// A browser with one page. It ends with this value.
#[derive(Debug)]
pub(super) struct Browser {
    driver: Child,
    agent: ureq::Agent,
    base: String,
}

impl Browser {
    /// Starts one with an empty profile in a directory.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) fn start(dir: &Path) -> Result<Browser, String> {
        let browser = BROWSERS.into_iter().find(|path| Path::new(path).exists());
        let browser = browser.ok_or("there is no Chromium here")?;
        let start = |name: &&str| {
            let mut command = Command::new(name);
            command
                .arg("--port=0")
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .ok()
        };
        let mut driver = DRIVERS.iter().find_map(start).ok_or("there is no chromedriver here")?;
        let output = BufReader::new(driver.stdout.take().expect("piped"));
        // "ChromeDriver was started successfully on port 40001."
        let port = output.lines().map_while(Result::ok).find_map(|line| {
            line.split_once("successfully on port ")?.1.trim_end_matches('.').parse::<u16>().ok()
        });
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(120)))
            .build()
            .new_agent();
        let base = format!("http://127.0.0.1:{}", port.ok_or("chromedriver does not say its port")?);
        let mut browser_of = Browser { driver, agent, base };
        let flags = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-first-run",
            // Nothing is clicked while it glides past.
            "--force-prefers-reduced-motion",
            "--window-size=1280,900",
            &format!("--user-data-dir={}", dir.join("profile").display()),
        ];
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": {"binary": browser, "args": flags},
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }}});
        let session = browser_of.post("/session", &wanted);
        let id =
            session["sessionId"].as_str().ok_or_else(|| format!("Chromium does not start: {session}"))?;
        browser_of.base = format!("{}/session/{id}", browser_of.base);
        Ok(browser_of)
    }

    /// What a command answers.
    fn post(&self, path: &str, body: &Value) -> Value {
        let mut answer =
            self.agent.post(format!("{}{path}", self.base)).send_json(body).expect("chromedriver answers");
        let mut answer: Value = answer.body_mut().read_json().expect("JSON");
        answer["value"].take()
    }

    fn get(&self, path: &str) -> Value {
        let mut answer = self.agent.get(format!("{}{path}", self.base)).call().expect("chromedriver answers");
        let mut answer: Value = answer.body_mut().read_json().expect("JSON");
        answer["value"].take()
    }

    pub(super) fn open(&self, url: &str) {
        let answer = self.post("/url", &json!({ "url": url }));
        assert!(answer.is_null(), "{answer}");
    }

    /// What a script returns.
    pub(super) fn script(&self, script: &str, args: Value) -> Value {
        self.post("/execute/sync", &json!({ "script": script, "args": args }))
    }

    fn element(&self, css: &str) -> String {
        let found = self.post("/element", &json!({ "using": "css selector", "value": css }));
        found[ELEMENT].as_str().unwrap_or_else(|| panic!("{css}: {found}")).to_owned()
    }

    /// Clicks as a person would: fails on what is hidden, or behind something else.
    pub(super) fn click(&self, css: &str) {
        let element = self.element(css);
        let answer = self.post(&format!("/element/{element}/click"), &json!({}));
        assert!(answer.is_null(), "{css}: {answer}");
    }

    /// Chooses from a list.
    pub(super) fn choose(&self, css: &str, value: &str) {
        self.click(&format!("{css} option[value={value}]"));
    }

    pub(super) fn type_into(&self, css: &str, keys: &str) {
        let element = self.element(css);
        let answer = self.post(&format!("/element/{element}/value"), &json!({ "text": keys }));
        assert!(answer.is_null(), "{css}: {answer}");
    }

    pub(super) fn paste(&self, css: &str) {
        self.type_into(css, &format!("{CONTROL}v"));
    }

    pub(super) fn text(&self, css: &str) -> String {
        let element = self.element(css);
        self.get(&format!("/element/{element}/text")).as_str().expect("text").to_owned()
    }

    pub(super) fn is_shown(&self, css: &str) -> bool {
        let element = self.element(css);
        self.get(&format!("/element/{element}/displayed")) == true
    }

    /// Looks until an element says this.
    pub(super) fn wait_for(&self, css: &str, words: &str) {
        assert!(
            self.looks_until(|| self.text(css) == words),
            "{css} says {:?}, not {words:?}",
            self.text(css)
        );
    }

    /// Looks until a script returns this: what follows a key or a click may take the page a moment.
    pub(super) fn wait_until(&self, script: &str, value: &Value) {
        let now = || self.script(script, json!([]));
        assert!(self.looks_until(|| now() == *value), "{script}: {}, not {value}", now());
    }

    /// Looks until it is so, as long as it takes the browser to be asked very often.
    pub(super) fn looks_until(&self, is_so: impl Fn() -> bool) -> bool {
        // Each look is a round trip to the browser.
        (0..LOOKS).any(|_| is_so() || self.script("return 0", json!([])) != json!(0))
    }

    /// Presses a key, whatever has the focus.
    pub(super) fn press(&self, key: char) {
        let press = [json!({"type": "keyDown", "value": key}), json!({"type": "keyUp", "value": key})];
        self.post("/actions", &json!({"actions": [{"type": "key", "id": "keyboard", "actions": press}]}));
    }

    /// Takes on a width in pixels and a colour scheme.
    pub(super) fn be(&self, width: u64, scheme: &str) {
        self.be_on("screen", width, scheme);
    }

    /// The same, on a `screen` or in `print`.
    pub(super) fn be_on(&self, media: &str, width: u64, scheme: &str) {
        let size = json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false});
        self.tell("Emulation.setDeviceMetricsOverride", size);
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.tell("Emulation.setEmulatedMedia", json!({ "media": media, "features": features }));
        // The browser takes it in after its answer, and has drawn it so only with a later frame.
        let is_so = format!(
            "return innerWidth === {width} && matchMedia('{media}').matches \
             && matchMedia('(prefers-color-scheme: {scheme})').matches"
        );
        self.wait_until(&is_so, &json!(true));
        let frames = "window.drawn = 0; const draw = () => ++window.drawn < 2 && \
                      requestAnimationFrame(draw); requestAnimationFrame(draw)";
        self.script(frames, json!([]));
        self.wait_until("return window.drawn", &json!(2));
    }

    /// Files that are saved go to a directory.
    pub(super) fn saves_into(&self, dir: &Path) {
        let params = json!({"behavior": "allow", "downloadPath": dir});
        self.tell("Browser.setDownloadBehavior", params);
    }

    /// A command of the browser's own protocol.
    fn tell(&self, command: &str, params: Value) {
        self.post("/goog/cdp/execute", &json!({ "cmd": command, "params": params }));
    }

    /// Panics at anything that the console says, and at any request for anything but the file.
    pub(super) fn no_trouble(&self) {
        let log = |kind: &str| self.post("/se/log", &json!({ "type": kind }));
        assert_eq!(log("browser"), json!([]), "the console");
        let events = log("performance");
        let messages =
            events.as_array().expect("a list").iter().filter_map(|event| event["message"].as_str());
        let mut pages = 0;
        for message in messages {
            let message: Value = serde_json::from_str(message).expect("JSON");
            let (method, params) = (&message["message"]["method"], &message["message"]["params"]);
            // The tab that the browser begins with has requests of its own.
            let of_page = params["documentURL"].as_str().is_some_and(|url| url.contains("/report.html"));
            if method == "Network.requestWillBeSent" && of_page {
                let url = params["request"]["url"].as_str().unwrap_or_default();
                let own =
                    url.starts_with("file://") && url.contains("/report.html") || url.starts_with("data:");
                assert!(own, "a request leaves the page: {url}");
                pages += 1;
            }
        }
        assert!(pages > 0, "requests are seen at all");
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.agent.delete(&self.base).call();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
