#!/usr/bin/env python3
"""A second reader of goferry bundles, written from docs/format.md and not from the Rust code.

    read_bundle.py --key test-signer.pub [--key OTHER.pub] BUNDLE...

checks everything that the format promises of each BUNDLE, and prints one JSON object a line: what is inside, or
`"refused"` and the reason. The exit code is 3 if any bundle was refused, else 0.

It needs Python 3.9 and the commands `zstd` (1.4 or newer) and `minisign` (0.10 or newer), and nothing else. It is here
to disagree with the Rust reader: where both take and refuse the same bundles, docs/format.md says enough. It reads
whole bundles into memory and is no tool for anything but tests.
"""
import argparse, base64, binascii, hashlib, json, os, re, subprocess, sys, tempfile, unicodedata

MIB = 1 << 20
TABLES = ("manifest", "packs", "evidence")
FIRST_LINE = "untrusted comment: signature from goferry secret key"


class Refused(Exception):
    pass


def need(condition, reason):
    if not condition:
        raise Refused(reason)


def sha256(data):
    return hashlib.sha256(data).hexdigest()


# --- container (format.md, "Container") ---

def header(name, size):
    block = bytearray(512)
    for offset, field in ((0, name.encode()), (100, b"0000644\0"), (108, b"0000000\0"), (116, b"0000000\0"),
                          (124, b"%011o\0" % size), (136, b"00000000000\0"), (148, b" " * 8), (156, b"0"),
                          (257, b"ustar\x0000"), (329, b"0000000\0"), (337, b"0000000\0")):
        block[offset:offset + len(field)] = field
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


class Container:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        part = self.data[self.at:self.at + count]
        need(len(part) == count, "cut off")
        self.at += count
        return part

    def zeros(self, count):
        need(not any(self.take(count)), f"bytes before {self.at} must be zero")

    def entry(self, name, size):
        need(self.take(512) == header(name, size), f"the header of {name} is another")
        content = self.take(size)
        self.zeros(-size % 512)
        return content

    def entry_of_any_size(self, name, limit):
        """The entry if it is the next one, else None: only cover and signatures say their own size."""
        digits = self.data[self.at + 124:self.at + 135]
        if not re.fullmatch(rb"[0-7]{11}", digits) or int(digits, 8) > limit:
            return None
        if self.data[self.at:self.at + 512] != header(name, int(digits, 8)):
            return None
        return self.entry(name, int(digits, 8))


# --- signatures ("Signatures") ---

def decode_base64(text, length, what):
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Refused(f"{what} is not base64")
    need(base64.b64encode(data).decode() == text and len(data) == length, f"{what} is not {length} canonical bytes")
    return data


def signature_key_id(data):
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise Refused("the signature is not UTF-8")
    lines = text.split("\n")
    need(len(lines) == 5 and lines[4] == "" and "\r" not in text, "a signature has four lines that end with LF")
    need(lines[0] == FIRST_LINE, "the first line of the signature is another")
    signature = decode_base64(lines[1], 74, "the signature")
    need(signature[:2] == b"ED", "the signature is not prehashed")
    comment = lines[2]
    need(comment.startswith("trusted comment: "), "the signature has no trusted comment")
    comment = comment[len("trusted comment: "):]
    need(len(comment.encode()) <= 512, "the trusted comment is too long")
    unprintable = [c for c in comment if c != "\t" and unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp")]
    need(not unprintable, "the trusted comment is not printable")
    decode_base64(lines[3], 64, "the global signature")
    return signature[2:10]


def check_signatures(cover, signatures, keys):
    signers = set()
    with tempfile.TemporaryDirectory() as directory:
        cover_file, signature_file = os.path.join(directory, "cover"), os.path.join(directory, "signature")
        open(cover_file, "wb").write(cover)
        for key_id, data in [(signature_key_id(data), data) for data in signatures]:
            named = [line for line in keys if base64.b64decode(line)[2:10] == key_id]
            open(signature_file, "wb").write(data)
            command = ["minisign", "-V", "-H", "-q", "-m", cover_file, "-x", signature_file, "-P"]
            good = [line for line in named if subprocess.run(command + [line], capture_output=True).returncode == 0]
            need(good or not named, "a signature names a trusted key and is not its own")
            signers.update(good[:1])
    need(signers, "no trusted key signed")
    return sorted(signers)


# --- frames ("Frames"; RFC 8878, sections 3.1.1.1 and 3.1.1.2) ---

def check_frame(frame, content_size):
    data = Container(frame)
    number = lambda count: int.from_bytes(data.take(count), "little")
    need(number(4) == 0xFD2FB528, "not a zstd frame")
    descriptor = number(1)
    need(descriptor & 0x1F == 0, "the frame has a reserved bit, a checksum or a dictionary")
    single_segment, size_flag = descriptor & 0x20, descriptor >> 6
    window = None if single_segment else number(1)
    need(single_segment or size_flag, "the frame does not state its content size")
    size = number((1, 2, 4, 8)[size_flag]) + (256 if size_flag == 1 else 0)
    need(size == content_size, "the frame states another content size")
    window = size if window is None else (1 << 10 + (window >> 3)) // 8 * (8 + (window & 7))
    need(window <= 1 << 27, "the frame needs too large a window")
    last = False
    while not last:
        block = number(3)
        last, kind, length = block & 1, block >> 1 & 3, block >> 3
        need(kind != 3, "a block of the frame is of the reserved type")
        data.take(1 if kind == 1 else length)
    need(data.at == len(frame), "something follows the frame")


def decode(frame, content_size):
    check_frame(frame, content_size)
    with tempfile.TemporaryFile() as file:
        file.write(frame)
        file.seek(0)
        command = ["zstd", "-d", "-c", "-q", "--long=27"]
        zstd = subprocess.Popen(command, stdin=file, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        content = zstd.stdout.read(content_size + 1)
        zstd.stdout.close()
        need(zstd.wait() == 0 and len(content) == content_size, "the frame cannot be decoded to its stated size")
    return content


# --- JSON ("JSON documents") and the texts in it ("Texts") ---

def parse(data, kind):
    def pairs(items):
        need(len(dict(items)) == len(items), "a key occurs twice")
        return dict(items)

    def integer(text):
        need(text[0] != "-", "a number has a sign")
        return int(text)

    def other(text):
        raise Refused(f"{text} is not a plain integer")

    try:
        text = data.decode()
        document = json.loads(text, object_pairs_hook=pairs, parse_int=integer, parse_float=other,
                              parse_constant=other)
        json.dumps(document, ensure_ascii=False).encode()  # a lone surrogate has no UTF-8
    except (ValueError, RecursionError) as error:
        raise Refused(f"not a JSON document: {error}")
    need(isinstance(document, dict) and document.get("type") == kind, f"the document is not a {kind}")
    return document


def fields(value, required, optional=()):
    """The values of an object that has exactly these fields, in this order; None for an optional one."""
    need(isinstance(value, dict), "a value is not an object")
    need(set(required) <= set(value) <= set(required) | set(optional), f"missing or unknown fields: {sorted(value)}")
    need(None not in value.values(), "a field is null")
    return [value.get(name) for name in (*required, *optional)]


def integer(value, limit, lowest=0):
    need(type(value) is int and lowest <= value <= limit, f"{value!r} is not an integer up to {limit}")
    return value


def array(value):
    need(isinstance(value, list), "a value is not an array")
    return value


def text(value, pattern):
    need(isinstance(value, str) and re.fullmatch(pattern, value), f"{value!r} is not of the form {pattern}")
    return value


def digest(value):
    return text(value, "[0-9a-f]{64}")


def h1_text(value):
    need(isinstance(value, str) and value.startswith("h1:"), f"{value!r} is not an h1")
    decode_base64(value[3:], 32, "an h1")
    return value


def timestamp(value):
    year, month, day, hour, minute, second = map(int, re.split("[-T:]", text(
        value, r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")[:-1]))
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    days = (0, 31, 28 + leap, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
    need(1 <= month <= 12 and 1 <= day <= days[month] and hour < 24 and minute < 60 and second < 60,
         f"{value} is no moment")
    need(value <= "9999-12-30T22:00:00Z", f"{value} is too late")


def reserved_on_windows(element):
    return re.fullmatch("CON|PRN|AUX|NUL|COM[1-9]|LPT[1-9]", element.split(".")[0].upper()) is not None


def file_path(value):
    need(isinstance(value, str) and len(value.encode()) <= 4096, "a path is no text or too long")
    for element in value.split("/"):
        need(0 < len(element.encode()) <= 255 and not element.endswith("."), f"{value!r}: bad path element")
        need(all(re.match(r"[A-Za-z0-9!#$%&()+,\-.=@\[\]^_{}~ ]", c) if c < "\x80"
                 else unicodedata.category(c)[0] == "L" for c in element), f"{value!r}: bad character")
        need(not (element.isascii() or element.split(".")[0].isascii()) or not reserved_on_windows(element),
             f"{value!r}: reserved name")
    return value


def module_path(path):
    need(isinstance(path, str) and len(path) <= 4096, "a module path is no text or too long")
    for element in path.split("/"):
        need(re.fullmatch(r"[A-Za-z0-9\-._~]{1,255}", element) and element[0] != "." and element[-1] != ".",
             f"{path!r}: bad path element")
        need(not reserved_on_windows(element) and not re.search(r"~[0-9]+$", element.split(".")[0]),
             f"{path!r}: reserved name")
    first = path.split("/")[0]
    need(re.fullmatch(r"[a-z0-9.][a-z0-9.\-]*", first) and "." in first, f"{path!r}: bad first element")
    return path


def path_major(path):
    """What the path's end asks of the major version: "", "2", "3"…; "1" and a dot for gopkg.in."""
    if path.startswith("gopkg.in/"):
        match = re.search(r"\.v(0|[1-9][0-9]*)(-unstable)?$", path)
        need(match and match.start() > 0, f"{path!r}: bad major version")
        return "." + match[1]
    match = re.search(r"/v([0-9.]+)$", path)
    need(not match or re.fullmatch("[1-9][0-9]*", match[1]) and match[1] != "1", f"{path!r}: bad major version")
    return match[1] if match else ""


def module_version(path, version):
    """The sort key of a version that may belong to the path."""
    number = "(0|[1-9][0-9]*)"
    label = "(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
    need(isinstance(version, str) and len(version) <= 255, "a version is no text or too long")
    match = re.fullmatch(rf"v{number}\.{number}\.{number}(?:-({label}(?:\.{label})*))?(\+incompatible)?", version)
    need(match and all(int(match[n]) < 1 << 64 for n in (1, 2, 3)), f"{version!r} is not canonical")
    major, expected = int(match[1]), path_major(path)
    if expected == "":
        need(major <= 1 or match[5], f"{path}@{version}: wrong major version")
    elif not (expected == ".1" and version.startswith("v0.0.0-")):
        need(match[1] == expected.lstrip(".") and not match[5], f"{path}@{version}: wrong major version")
    labels = [(0, int(p), "") if p.isdigit() else (1, 0, p) for p in (match[4] or "").split(".") if p]
    return ([int(match[n]) for n in (1, 2, 3)], not labels, labels, version)


def fold(name):
    """Unicode's simple case folding, by what Python has: full folding, and lower case where that gives many."""
    simple = lambda c: next((f for f in (c.casefold(), c.lower()) if len(f) == 1), c)
    return "".join(map(simple, name))


# --- manifest and pack table ("Manifest", "Pack table") ---

def files_of(value, prefix, stated_h1, blobs, renamed=False):
    """Checks the files of a component; gives (path, size, sha256) of each."""
    files = [fields(file, ("path", "size", "sha256")) for file in array(value)]
    for path, size, sha in files:
        file_path(path), integer(size, 512 * MIB), digest(sha)
        need(blobs.setdefault(sha, size) == size, f"{sha} has two sizes")
    paths = [path for path, _, _ in files]
    need(all(a.encode() < b.encode() for a, b in zip(paths, paths[1:])), f"the files of {prefix} are not sorted")
    seen = {}
    new_names = [path[:-len("_go.mod")] + "go.mod" for path in paths if path.split("/")[-1] == "_go.mod"]
    for path in paths + (new_names if renamed else []):
        names = [(path, False)] + [(path[:end.start()], True) for end in re.finditer("/", path)]
        for name, is_directory in names:
            other = seen.setdefault(fold(name), (name, is_directory))
            again = (name, is_directory) == other and (is_directory or name is other[0])
            need(again, f"{name!r} and {other[0]!r} clash in {prefix}")
    lines = "".join(f"{sha}  {prefix}{path}\n" for path, _, sha in files)
    need(stated_h1 == h1_of(lines), f"the h1 of {prefix} is another")
    return files


def h1_of(lines):
    return "h1:" + base64.b64encode(hashlib.sha256(lines.encode()).digest()).decode()


def read_toolchain(value, blobs):
    version, platform, h1, files = fields(value, ("version", "platform", "h1", "files"))
    minor, stage, number = re.fullmatch("1[.](.*?)(beta|rc|[.])(.*)", text(
        version, r"1\.(0|[1-9][0-9]*)(beta|rc|\.)(0|[1-9][0-9]*)")).groups()
    need(int(minor) < 1 << 32 and int(number) < 1 << 32, f"{version} is no release")
    os_name, arch = text(platform, "[a-z0-9]{1,16}/[a-z0-9]{1,16}").split("/")
    prefix = f"golang.org/toolchain@v0.0.1-go{version}.{os_name}-{arch}/"
    files = files_of(files, prefix, h1_text(h1), blobs, renamed=True)
    need(files, f"{prefix} has no files")
    sort_key = (int(minor), ("beta", "rc", ".").index(stage), int(number), os_name, arch)
    return sort_key, {"version": version, "platform": platform, "h1": h1, "files": len(files),
                      "size": sum(size for _, size, _ in files)}


def read_module(value, blobs):
    path, version, go_mod, time, zip_ = fields(value, ("path", "version", "go_mod"), ("time", "zip"))
    sort_key = (module_path(path), module_version(path, version))
    if time is not None:
        timestamp(time)
    mod_size, mod_sha, mod_h1 = fields(go_mod, ("size", "sha256", "h1"))
    integer(mod_size, 16 * MIB), digest(mod_sha), h1_text(mod_h1)
    need(mod_h1 == h1_of(f"{mod_sha}  go.mod\n"), f"the h1 of the go.mod of {path}@{version} is another")
    need(blobs.setdefault(mod_sha, mod_size) == mod_size, f"{mod_sha} has two sizes")
    summary = {"module": f"{path}@{version}", "go_mod_h1": mod_h1}
    if zip_ is None:
        return sort_key, summary, 1
    h1, files = fields(zip_, ("h1", "files"))
    files = files_of(files, f"{path}@{version}/", h1_text(h1), blobs)
    total = sum(size for _, size, _ in files)
    need(total <= 500 * MIB, f"{path}@{version} is too large")
    for name, size, sha in files:
        need(name not in ("go.mod", "LICENSE") or size <= 16 * MIB, f"{name} of {path}@{version} is too large")
        need(name != "go.mod" or sha == mod_sha, f"{path}@{version} has two go.mod")
    return sort_key, {**summary, "h1": h1, "files": len(files), "size": total}, 1 + len(files)


def read_manifest(data):
    """The summaries of toolchains and modules, and all distinct contents as (sha256, size), sorted."""
    _, toolchains, modules = fields(parse(data, "goferry/manifest/v1"), ("type", "toolchains", "modules"))
    blobs = {}
    toolchains = [read_toolchain(value, blobs) for value in array(toolchains)]
    modules = [read_module(value, blobs) for value in array(modules)]
    need(toolchains or modules, "the manifest lists no component")
    for keys in ([t[0] for t in toolchains], [m[0] for m in modules]):
        need(all(a < b for a, b in zip(keys, keys[1:])), "components are not in order")
    count = sum(t[1]["files"] for t in toolchains) + sum(m[2] for m in modules)
    need(count <= 2_000_000, "too many files")
    return [t[1] for t in toolchains], [m[1] for m in modules], sorted(blobs.items())


def read_pack_table(data, blobs):
    _, packs = fields(parse(data, "goferry/packs/v1"), ("type", "packs"))
    packs = [fields(pack, ("sha256", "size", "content_size", "blobs")) for pack in array(packs)]
    need(len(packs) <= 65_536, "too many packs")
    for sha, size, content_size, numbers in packs:
        digest(sha), integer(content_size, 1 << 30), integer(size, (1 << 30) + (1 << 26))
        for number in array(numbers):
            integer(number, len(blobs) - 1)
        need(numbers and content_size == sum(blobs[n][1] for n in numbers), f"pack {sha} is not the sum of its blobs")
    need(len({pack[0] for pack in packs}) == len(packs), "a pack is listed twice")
    need(sorted(n for pack in packs for n in pack[3]) == list(range(len(blobs))), "not every blob is stored once")
    return packs


# --- the bundle ("Order of checks") ---

def read_bundle(data, keys):
    container = Container(data)
    cover = container.entry_of_any_size("goferry.json", 64 << 10)
    need(cover is not None, "not a goferry bundle")
    signatures = []
    while len(signatures) < 16:
        number = f".{len(signatures) + 1}" if signatures else ""
        signature = container.entry_of_any_size(f"goferry.json{number}.minisig", 1 << 10)
        if signature is None:
            break
        signatures.append(signature)
    need(signatures, "no signature")
    signers = check_signatures(cover, signatures, keys)

    required = ("type", "name", "sequence", "created", "requires", *TABLES)
    document = parse(cover, "goferry/bundle/v1")
    _, name, sequence, created, requires, *tables, expires = fields(document, required, ("expires",))
    text(name, "[a-z0-9][a-z0-9._-]{0,63}"), integer(sequence, (1 << 53) - 1, 1), timestamp(created)
    if expires is not None:
        timestamp(expires)
    need(array(requires) == [], f"the bundle requires {requires}")
    contents = []
    for table, value in zip(TABLES, tables):
        sha, size, content_sha, content_size = fields(value, ("sha256", "size", "content_sha256", "content_size"))
        digest(sha), digest(content_sha), integer(size, 256 * MIB), integer(content_size, 256 * MIB)
        frame = container.entry(f"{table}.json.zst", size)
        need(sha256(frame) == sha, f"the digest of {table}.json.zst is another")
        contents.append(decode(frame, content_size))
        need(sha256(contents[-1]) == content_sha, f"the digest of {table}.json is another")
    toolchains, modules, blobs = read_manifest(contents[0])
    packs = read_pack_table(contents[1], blobs)
    _, runs = fields(parse(contents[2], "goferry/evidence/v1"), ("type", "runs"))
    need(array(runs) == [], "evidence of another version")

    frames = [container.entry(f"packs/{sha}.zst", size) for sha, size, _, _ in packs]
    container.zeros(1024)
    need(container.at == len(data), "something follows the end")
    for frame, (sha, _, content_size, numbers) in zip(frames, packs):
        need(sha256(frame) == sha, f"the digest of pack {sha} is another")
        content, at = decode(frame, content_size), 0
        for blob, size in (blobs[number] for number in numbers):
            need(sha256(content[at:at + size]) == blob, f"content {blob} is another")
            at += size
    packs = [{"sha256": p[0], "size": p[1], "content_size": p[2], "blobs": len(p[3])} for p in packs]
    return {"id": sha256(cover), "name": name, "sequence": sequence, "created": created, "size": len(data),
            "signers": ["%016X" % int.from_bytes(base64.b64decode(line)[2:10], "little") for line in signers],
            "toolchains": toolchains, "modules": modules, "packs": packs}


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--key", action="append", required=True, help="a public key that is trusted")
    arguments.add_argument("bundles", nargs="+")
    arguments = arguments.parse_args()
    keys = [open(path).read().splitlines()[-1] for path in arguments.key]
    refused = False
    for path in arguments.bundles:
        try:
            result = read_bundle(open(path, "rb").read(), keys)
        except Refused as reason:
            result, refused = {"refused": str(reason)}, True
        print(json.dumps({"file": path, **result}))
    sys.exit(3 if refused else 0)


if __name__ == "__main__":
    main()
