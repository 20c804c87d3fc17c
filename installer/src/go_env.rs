//! The settings that a generation gives to `go`: every GOROOT's `go.env` leads here.

use std::fmt::Write as _;

use crate::prefix::Prefix;

/// The content of a generation's `go.env` (read by Go since 1.21; what users set themselves has precedence).
pub(crate) fn content(prefix: &Prefix, gopath: Option<&str>) -> String {
    let mut text = format!(
        "# Settings of the go command for this host, written by goport. Each generation has its own.\n\
         GOPROXY={}\n\
         GOMODCACHE={}\n\
         GOSUMDB=sum.golang.org\n\
         GONOPROXY=none\n\
         GOTOOLCHAIN=path\n\
         GOVCS=*:off\n\
         GOAUTH=off\n",
        prefix.file_url("current/modcache/cache/download"),
        prefix.join("current/modcache"),
    );
    if let Some(gopath) = gopath {
        writeln!(text, "GOPATH={gopath}").expect("writing to a String does not fail");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_encoded_and_directories_are_not() {
        let prefix = "/opt/a,b c".parse().unwrap();
        let text = content(&prefix, Some("/opt/a,b c/gopath"));
        let lines: Vec<_> = text.lines().skip(1).collect();
        assert_eq!(
            lines,
            [
                "GOPROXY=file:///opt/a%2Cb%20c/current/modcache/cache/download",
                "GOMODCACHE=/opt/a,b c/current/modcache",
                "GOSUMDB=sum.golang.org",
                "GONOPROXY=none",
                "GOTOOLCHAIN=path",
                "GOVCS=*:off",
                "GOAUTH=off",
                "GOPATH=/opt/a,b c/gopath",
            ]
        );
    }

    #[test]
    fn without_a_gopath_each_user_keeps_the_own_one() {
        assert!(!content(&"/opt/goferry".parse().unwrap(), None).contains("GOPATH"));
    }
}
