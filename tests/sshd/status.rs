//! `keytrail status` on eight real SSH servers.

use crate::common::site::Site;
use keytrail::vault::KeySource;
use std::fs;
use std::path::Path;

fn json(said: &str) -> serde_json::Value {
    serde_json::from_str(said).unwrap_or_else(|why| panic!("{why}: {said}"))
}

fn host<'a>(status: &'a serde_json::Value, name: &str) -> &'a serde_json::Value {
    let hosts = status["hosts"].as_array().expect("hosts");
    hosts.iter().find(|row| row["host"] == name).expect("the host")
}

#[test]
fn the_fleet_at_a_glance() {
    let mut site = Site::new();
    let (status, said) = site.keytrail("status", &[]);
    assert_eq!(status, 2, "without a vault nothing is known: {said}");
    assert_eq!(site.keytrail("apply", &[]).0, 0);

    let (status, said) = site.keytrail("status", &[]);
    assert_eq!(status, 0, "{said}");
    assert!(
        said.contains("8 hosts in 3 groups, generation 1: nothing wrong is known, but no daemon was ever asked (keytrail verify)."),
        "{said}"
    );
    let (status, said) = site.keytrail("status", &["--format", "json", "--quiet"]);
    assert_eq!(status, 0, "{said}");
    let found = json(&said);
    assert_eq!(found["version"], 1);
    assert_eq!(host(&found, "mort")["role"], "trusted host");
    assert_eq!(host(&found, "yellow")["role"], "server");
    assert_eq!(host(&found, "leaf01")["role"], "client");
    assert_eq!(host(&found, "leaf01")["generation"], 1);
    // A year less what the push took, which may be less than a second.
    let days = host(&found, "leaf01")["certificate_days"].as_i64();
    assert!(matches!(days, Some(364 | 365)), "{days:?}");
    assert_eq!(host(&found, "leaf01")["drift"], "");

    // Somebody edits a file, somebody else loosens a mode, one host is gone.
    let conf = site.etc("leaf02").join("ntp/keytrail.conf");
    let text = fs::read_to_string(&conf).expect("the configuration");
    fs::write(&conf, text + "server 192.0.2.99\n").expect("written");
    site.lab.servers.stop("leaf03");
    let (status, said) = site.keytrail("status", &[]);
    assert_eq!(status, 1, "{said}");
    assert!(
        said.contains("not as it should be: 1 configuration file"),
        "{said}"
    );
    assert!(said.contains("2 in trouble"), "{said}");
    let at = |host: &str| {
        said.lines()
            .position(|line| line.trim_start().starts_with(host))
            .unwrap_or_else(|| panic!("{host} is not listed: {said}"))
    };
    assert!(at("leaf03") < at("leaf02"), "the worst first: {said}");
    assert!(at("leaf02") < at("mort"), "the worst first: {said}");

    // A login that never ends, and the time that was asked for in place of the default.
    let hangs = site
        .lab
        .servers
        .restart("leaf03", &["ForceCommand exec sleep 600"]);
    hangs.expect("a server");
    let (status, said) = site.keytrail("status", &["--timeout", "7s", "--on", "leaf03"]);
    assert_eq!(status, 1, "{said}");
    assert!(said.contains("no answer within 7s"), "{said}");

    // From the vault alone nothing of that is known.
    let (status, said) = site.keytrail("status", &["--offline"]);
    assert_eq!(status, 0, "{said}");
    assert!(
        said.contains("from the vault alone: nothing wrong is known"),
        "{said}"
    );
    let (status, said) = site.keytrail("status", &["--offline", "--expiring", "400d"]);
    assert_eq!(status, 1, "{said}");
    assert!(said.contains("its certificate ends in 36"), "{said}");

    // The same as findings on the lines of the inventory; the key of the vault is not needed.
    let check = |more: &[&str]| {
        let mut command = crate::common::keytrail(site.dir());
        let command = command.arg("check").arg(&site.inventory).args(more);
        crate::common::ended(command.env("XDG_CONFIG_HOME", "/nonexistent").env_remove("HOME"))
    };
    let (status, said) = check(&["--fail-on", "warning"]);
    assert_eq!(status, 0, "{said}");
    let (status, said) = check(&["--fail-on", "warning", "--expiring", "400d"]);
    assert_eq!(status, 1, "{said}");
    for words in [
        "warning[expiring]: the certificate of mort ends in 36",
        "warning[expiring]: the certificates of 4 hosts of leaf[01-04] end within 400 days, first that of leaf0",
        "keytrail renew --within 400d",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    // The inventory says what is soon, the command line has the last word.
    site.edit("version: 1\n", "version: 1\npolicy: { expiring: 400d }\n");
    for (expiring, answer) in [(&[][..], 1), (&["--expiring", "10d"][..], 0)] {
        let (status, said) = check(&[&["--fail-on", "warning"], expiring].concat());
        assert_eq!(status, answer, "{said}");
        let (status, said) = site.keytrail("status", &[&["--offline"], expiring].concat());
        assert_eq!(status, answer, "{said}");
    }
    let vault = site.dir().join("fleet.vault");
    fs::write(&vault, "no vault").expect("written");
    let (status, said) = check(&[]);
    assert_eq!(status, 0, "{said}");
    assert!(
        said.contains("nothing is said of certificates that end"),
        "{said}"
    );
    let (status, said) = check(&["--vault", vault.to_str().expect("text")]);
    assert_eq!(status, 2, "{said}");
}

#[test]
fn what_was_seen_before_the_last_change_shows_nothing() {
    let site = Site::new();
    assert_eq!(site.keytrail("apply", &[]).0, 0);
    let now = time::OffsetDateTime::now_utc().unix_timestamp();
    let seen = |good| keytrail::vault::Verified {
        at: now,
        level: "auth".to_owned(),
        good,
        detail: "error 114".to_owned(),
    };
    // As `verify` would keep it.
    let path = site.dir().join("fleet.vault");
    let key = KeySource::File(site.dir().join("config/keytrail/identity.agekey"));
    let (good, bad) = (seen(true), seen(false));
    keytrail::vault::Vault::open(&path, &key)
        .and_then(|mut vault| vault.set_verified([("mort", &good), ("macabre", &good), ("leaf01", &bad)]))
        .expect("kept");
    let (status, said) = site.keytrail("status", &["--offline", "--format", "json", "--quiet"]);
    assert_eq!(status, 1, "{said}");
    let found = json(&said);
    assert_eq!(host(&found, "mort")["verified"]["before_last_change"], false);
    assert_eq!(
        host(&found, "leaf01")["trouble"].to_string(),
        "[\"when last asked: error 114\"]"
    );

    // Moments are known to the second.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    site.edit("lifetime: 365d", "lifetime: 200d");
    let (status, said) = site.keytrail("apply", &["--on", "mort,leaf01"]);
    assert_eq!(status, 0, "{said}");
    let (status, said) = site.keytrail("status", &["--offline", "--format", "json", "--quiet"]);
    assert_eq!(status, 1, "{said}");
    let found = json(&said);
    assert_eq!(host(&found, "mort")["verified"]["before_last_change"], true);
    assert_eq!(host(&found, "macabre")["verified"]["before_last_change"], false);
    assert_eq!(
        host(&found, "leaf01")["trouble"].to_string(),
        "[\"when last asked, before its last change: error 114\"]"
    );
    let order: Vec<&str> = found["hosts"]
        .as_array()
        .expect("hosts")
        .iter()
        .filter_map(|row| row["host"].as_str())
        .collect();
    assert_eq!(
        (order.first(), order.last()),
        (Some(&"leaf01"), Some(&"macabre")),
        "{said}"
    );
    let (_, said) = site.keytrail("status", &["--offline", "--on", "mort,macabre"]);
    assert!(
        said.contains("just now, well, before the last change")
            && said.contains(
                "nothing wrong is known, but the daemon of 1 host was not asked since its last change (keytrail verify)."
            ),
        "{said}"
    );
    let (_, said) = site.keytrail("status", &["--offline", "--format", "prometheus"]);
    for line in [
        "keytrail_host_verified_current{host=\"mort\"} 0",
        "keytrail_host_verified_current{host=\"macabre\"} 1",
        "keytrail_host_verified_current{host=\"leaf02\"} 0",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
}

#[test]
fn metrics_are_written_whole() {
    let site = Site::new();
    assert_eq!(site.keytrail("apply", &[]).0, 0);
    let file = site.dir().join("keytrail.prom");
    let path = file.to_str().expect("text");
    let (status, said) = site.keytrail("status", &["--format", "prometheus", "-o", path, "--quiet"]);
    assert_eq!((status, said.as_str()), (0, ""));
    let text = fs::read_to_string(&file).expect("the metrics");
    let mut families = Vec::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# ") {
            families.push(rest.split(' ').nth(1).expect("a name").to_owned());
            continue;
        }
        let (name, value) = line.rsplit_once(' ').expect("a value");
        value.parse::<f64>().unwrap_or_else(|why| panic!("{why}: {line}"));
        let family = name.split('{').next().expect("a name");
        assert_eq!(families.last().map(String::as_str), Some(family), "{line}");
        assert_eq!(name.contains('{'), name.ends_with("\"}"), "{line}");
    }
    assert!(
        text.contains("keytrail_host_info{host=\"mort\",role=\"trusted host\",group=\"red\"} 1\n"),
        "{text}"
    );
    assert!(
        text.contains("keytrail_host_drift{host=\"leaf04\"} 0\n"),
        "{text}"
    );
    assert!(
        text.contains("keytrail_host_generation{host=\"leaf04\"} 1\n"),
        "{text}"
    );
    // Whatever cannot be written leaves what was there.
    let (status, said) = site.keytrail("status", &["-o", "/nonexistent/keytrail.prom"]);
    assert_eq!(status, 2, "{said}");
    let (status, said) = site.keytrail("status", &["--expiring", "soon"]);
    assert_eq!(status, 2, "{said}");
}

#[test]
fn a_client_of_gq_that_went_before_its_servers_is_pending() {
    let site = Site::new();
    assert_eq!(site.keytrail("apply", &[]).0, 0);
    let rotate = |more: &[&str]| {
        let words = [
            site.inventory.to_str().expect("text"),
            "--group",
            "green",
            "--verify",
            "none",
        ];
        site.keytrail_on("rotate", Path::new("identity"), &[&words[..], more].concat())
    };
    // Made, and nothing changed yet; then somebody brings it to a leaf before anybody else.
    let (status, said) = rotate(&["-o", site.dir().join("rotation.json").to_str().expect("text")]);
    assert_eq!(status, 0, "{said}");
    let (status, said) = site.keytrail("apply", &["--on", "leaf01"]);
    assert_eq!(status, 0, "{said}");
    let row = |said: &str| {
        let found = json(said);
        host(&found, "leaf01")["trouble"].to_string()
    };
    let (_, said) = site.keytrail("status", &["--offline", "--format", "json", "--quiet"]);
    let trouble = row(&said);
    assert!(
        trouble.contains("before howland, yellow") && trouble.contains("once these have theirs"),
        "{said}"
    );
    // The moment of the change is known to the second.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let (status, said) = rotate(&[]);
    assert_eq!(status, 0, "{said}");
    let (_, said) = site.keytrail("status", &["--offline", "--format", "json", "--quiet"]);
    assert!(row(&said).contains("restart its daemon now"), "{said}");
    let found = json(&said);
    assert_eq!(host(&found, "leaf02")["trouble"].to_string(), "[]", "{said}");
}

#[test]
fn a_file_that_is_not_known_as_ours_is_never_overwritten() {
    let site = Site::new();
    assert_eq!(site.keytrail("plan", &["--quiet"]).0, 0);
    let (status, said) = site.keytrail("plan", &["--format", "json", "--quiet"]);
    assert_eq!(status, 0, "{said}");
    let plan = json(&said);
    let plans = plan["plan"]["hosts"].as_array().expect("hosts");
    let leaf = plans
        .iter()
        .find(|plan| plan["host"] == "leaf01")
        .expect("leaf01");
    let actions = leaf["actions"].as_array().expect("actions");
    let put = actions
        .iter()
        .find(|action| action["action"] == "put-file")
        .expect("a file");
    let path = put["path"].as_str().expect("a path");
    let file = site.dir().join("hosts/leaf01").join(path.trim_start_matches('/'));
    fs::create_dir_all(file.parent().expect("a directory")).expect("made");
    fs::write(&file, "somebody's only key").expect("written");

    let (status, said) = site.keytrail("apply", &[]);
    assert_eq!(status, 1, "{said}");
    assert!(
        said.contains(path) && said.contains("nothing tells that keytrail put it there"),
        "{said}"
    );
    assert_eq!(
        fs::read_to_string(&file).expect("still there"),
        "somebody's only key"
    );
    fs::rename(&file, site.dir().join("aside")).expect("moved");
    assert_eq!(site.keytrail("apply", &[]).0, 0);

    // Now it is ours, and what a full disk has made of it is mended.
    let whole = fs::read(&file).expect("ours");
    fs::write(&file, &whole[..20]).expect("cut");
    let (status, said) = site.keytrail("apply", &[]);
    assert_eq!(status, 0, "{said}");
    assert_eq!(fs::read(&file).expect("mended"), whole);
}
