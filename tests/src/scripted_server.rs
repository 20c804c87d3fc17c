//! A web server on the loopback interface that serves a directory, and fails where it is told to.

use std::collections::{HashMap, VecDeque};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use goferry_manifest::Sha256Digest;

/// What happens to one request instead of a good answer.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Nothing: the answer is good.
    None,
    /// This status with these headers and this text.
    Status(u16, Vec<(String, String)>, String),
    /// The connection ends after so many bytes of the body, fewer than Content-Length says.
    BreakOff(usize),
    /// After so many bytes of the body nothing comes any more, and the connection stays open.
    Stall(usize),
    /// The body is followed by bytes that Content-Length does not count.
    Surplus(Vec<u8>),
    /// Another body, complete and with its own ETag.
    Body(Vec<u8>),
    /// The good answer with one more header.
    Header(String, String),
    /// The rest that was asked for, of this other body, under this Content-Range and ETag.
    Partial {
        /// What Content-Range says.
        range: String,
        /// What ETag says.
        etag: String,
        /// The bytes.
        bytes: Vec<u8>,
    },
}

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Request {
    /// The path of the request line, percent-decoded.
    pub path: String,
    /// Headers, with lower-case names.
    pub headers: HashMap<String, String>,
}

/// The server; it ends when it is dropped.
#[derive(Debug)]
pub struct ScriptedServer {
    address: SocketAddr,
    script: Arc<Script>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Script {
    root: PathBuf,
    state: Mutex<State>,
    closed: Condvar,
    closing: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    faults: HashMap<String, VecDeque<Fault>>,
    requests: Vec<Request>,
    delay: Duration,
    without_validators: bool,
    at_once: usize,
    most_at_once: usize,
}

impl ScriptedServer {
    /// Serves a directory on a free port; it is ready when this returns.
    pub fn serve(root: impl Into<PathBuf>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback has free ports");
        let address = listener.local_addr().expect("a bound socket has an address");
        let script = Arc::new(Script {
            root: root.into(),
            state: Mutex::default(),
            closed: Condvar::new(),
            closing: AtomicBool::new(false),
        });
        let for_thread = Arc::clone(&script);
        let accepting = Some(thread::spawn(move || accept(&listener, &for_thread)));
        Self { address, script, accepting }
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The next requests for a path, such as `/golang.org/x/text/@v/list`, meet these faults, one each.
    pub fn fail(&self, path: &str, faults: impl IntoIterator<Item = Fault>) {
        self.state().faults.entry(path.to_owned()).or_default().extend(faults);
    }

    /// Every answer waits so long.
    pub fn delay(&self, delay: Duration) {
        self.state().delay = delay;
    }

    /// Answers carry neither ETag nor Last-Modified.
    pub fn send_no_validators(&self) {
        self.state().without_validators = true;
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.state().requests.clone()
    }

    /// How many requests for one path came.
    pub fn count(&self, path: &str) -> usize {
        self.state().requests.iter().filter(|request| request.path == path).count()
    }

    /// The largest number of requests that were open at one time.
    pub fn most_at_once(&self) -> usize {
        self.state().most_at_once
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.script.state()
    }
}

impl Drop for ScriptedServer {
    fn drop(&mut self) {
        self.script.closing.store(true, Ordering::SeqCst);
        self.script.closed.notify_all();
        // Wakes `accept`; if that fails there is nothing left to wake.
        let _ = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

impl Script {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits, at most until the server is dropped.
    fn wait(&self, duration: Duration) {
        let open = |_: &mut State| !self.closing.load(Ordering::SeqCst);
        let _ = self.closed.wait_timeout_while(self.state(), duration, open);
    }
}

fn accept(listener: &TcpListener, script: &Arc<Script>) {
    for stream in listener.incoming() {
        if script.closing.load(Ordering::SeqCst) {
            return;
        }
        if let Ok(stream) = stream {
            let script = Arc::clone(script);
            // A client that goes away is no concern of the server.
            thread::spawn(move || converse(&stream, &script).ok());
        }
    }
}

/// Answers one request after the other, until either side ends the connection.
fn converse(stream: &TcpStream, script: &Script) -> io::Result<()> {
    // Head and body are two writes: without this the body would wait for the client's delayed acknowledgement, 40 ms.
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    while let Some(request) = read_request(&mut reader)? {
        let (fault, delay, validators) = {
            let mut state = script.state();
            state.requests.push(request.clone());
            state.at_once += 1;
            state.most_at_once = state.most_at_once.max(state.at_once);
            let fault = state.faults.get_mut(&request.path).and_then(VecDeque::pop_front);
            (fault.unwrap_or(Fault::None), state.delay, !state.without_validators)
        };
        script.wait(delay);
        let goes_on = answer(stream, script, &request, fault, validators);
        script.state().at_once -= 1;
        if !goes_on? {
            return stream.shutdown(Shutdown::Both);
        }
    }
    Ok(())
}

fn read_request(reader: &mut impl BufRead) -> io::Result<Option<Request>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let target = line.split(' ').nth(1).unwrap_or_default();
    let path = percent_decoded(target.split('?').next().unwrap_or_default());
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        match line.trim_end().split_once(':') {
            Some((name, value)) => headers.insert(name.to_ascii_lowercase(), value.trim().to_owned()),
            None => return Ok(Some(Request { path, headers })),
        };
    }
}

/// Answers, and says whether the connection can be used again.
fn answer(
    mut stream: &TcpStream,
    script: &Script,
    request: &Request,
    fault: Fault,
    validators: bool,
) -> io::Result<bool> {
    if let Fault::Status(status, headers, text) = fault {
        let mut headers = headers;
        headers.push(("content-type".into(), "text/plain; charset=utf-8".into()));
        write_head(stream, status, text.len(), &headers)?;
        stream.write_all(text.as_bytes())?;
        return Ok(true);
    }
    if let Fault::Partial { range, etag, bytes } = fault {
        let headers = [("content-range".into(), range), ("etag".into(), etag)];
        write_head(stream, 206, bytes.len(), &headers)?;
        stream.write_all(&bytes)?;
        return Ok(true);
    }
    let body = match &fault {
        Fault::Body(body) => Some(body.clone()),
        _ => read_file(&script.root, &request.path),
    };
    let Some(body) = body else {
        write_head(stream, 404, 0, &[])?;
        return Ok(true);
    };
    let etag = format!("\"{}\"", Sha256Digest::of(&body));
    let start = resume_start(request, &etag, body.len());
    let mut headers = Vec::new();
    if validators {
        headers.push(("etag".to_owned(), etag));
    }
    if start > 0 {
        headers.push(("content-range".into(), format!("bytes {start}-{}/{}", body.len() - 1, body.len())));
    }
    if let Fault::Header(name, value) = &fault {
        headers.push((name.clone(), value.clone()));
    }
    let rest = &body[start..];
    write_head(stream, if start > 0 { 206 } else { 200 }, rest.len(), &headers)?;
    match fault {
        Fault::BreakOff(bytes) => {
            stream.write_all(&rest[..bytes.min(rest.len())])?;
            return Ok(false);
        }
        Fault::Stall(bytes) => {
            stream.write_all(&rest[..bytes.min(rest.len())])?;
            script.wait(Duration::from_mins(1));
            return Ok(false);
        }
        Fault::Surplus(surplus) => stream.write_all(&[rest, &surplus].concat())?,
        _ => stream.write_all(rest)?,
    }
    Ok(true)
}

/// Where the answer begins: at 0 unless a range is asked for, of the body that the client began with.
fn resume_start(request: &Request, etag: &str, length: usize) -> usize {
    let same = request.headers.get("if-range").is_none_or(|validator| validator == etag);
    let range = request.headers.get("range").filter(|_| same);
    let start = range.and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
    start.filter(|start| *start < length).unwrap_or(0)
}

fn write_head(
    mut stream: &TcpStream,
    status: u16,
    length: usize,
    headers: &[(String, String)],
) -> io::Result<()> {
    let mut head = format!("HTTP/1.1 {status} Scripted\r\ncontent-length: {length}\r\n");
    for (name, value) in headers {
        head.extend([name, ": ", value, "\r\n"]);
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes())
}

fn read_file(root: &Path, path: &str) -> Option<Vec<u8>> {
    let relative = path.strip_prefix('/')?;
    if relative.split('/').any(|element| element == "..") {
        return None;
    }
    let mut body = Vec::new();
    std::fs::File::open(root.join(relative)).ok()?.read_to_end(&mut body).ok()?;
    Some(body)
}

/// `go` sends `!` as `%21`.
fn percent_decoded(path: &str) -> String {
    let mut pieces = path.split('%');
    let mut decoded = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        match piece.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                decoded.push(byte);
                decoded.extend_from_slice(&piece.as_bytes()[2..]);
            }
            None => decoded.extend_from_slice(format!("%{piece}").as_bytes()),
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}
