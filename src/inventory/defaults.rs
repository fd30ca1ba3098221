//! What a setting is when nobody says: paths and restart commands of each NTP implementation.

use super::model::{ConfMode, Implementation};

/// Paths and commands of an implementation as its packages lay them out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Defaults {
    /// Key media.
    pub keysdir: &'static str,
    /// Configuration.
    pub conf: &'static str,
    /// How keytrail's lines get into it.
    pub conf_mode: ConfMode,
    /// The file for [`ConfMode::Include`].
    pub include_file: &'static str,
    /// Symmetric keys.
    pub keys_file: &'static str,
    /// Restart over SSH.
    pub restart: Option<&'static str>,
}

impl Defaults {
    /// Of an implementation.
    pub fn of(ntpd: Implementation) -> Self {
        match ntpd {
            // `crypto pw` must not stand in ntp.conf, which is world-readable nearly everywhere. The service is
            // called ntpd by Red Hat and ntp by Debian.
            Implementation::NtpOrg => Self {
                keysdir: "/etc/ntp/crypto",
                conf: "/etc/ntp.conf",
                conf_mode: ConfMode::Include,
                include_file: "/etc/ntp/keytrail.conf",
                keys_file: "/etc/ntp/ntp.keys",
                restart: Some("systemctl restart ntpd.service || systemctl restart ntp.service"),
            },
            // Debian's AppArmor profile lets the daemon read no other key file. Nothing secret is in the
            // configuration of a daemon without Autokey.
            Implementation::Ntpsec => Self {
                keysdir: "/etc/ntpsec",
                conf: "/etc/ntpsec/ntp.conf",
                conf_mode: ConfMode::Block,
                include_file: "/etc/ntpsec/ntp.d/keytrail.conf",
                keys_file: "/etc/ntpsec/ntp.keys",
                restart: Some("systemctl restart ntpsec.service"),
            },
            Implementation::Chrony => Self {
                keysdir: "/etc/chrony",
                conf: "/etc/chrony/chrony.conf",
                conf_mode: ConfMode::Block,
                include_file: "/etc/chrony/conf.d/keytrail.conf",
                keys_file: "/etc/chrony/chrony.keys",
                // The name of Red Hat, and an alias at Debian.
                restart: Some("systemctl restart chronyd.service"),
            },
            // TCP/IP Services for OpenVMS keeps everything in one directory; there is no SSH push to it, so
            // nothing to restart.
            Implementation::Openvms => Self {
                keysdir: "SYS$SPECIFIC:[TCPIP$NTP]",
                conf: "SYS$SPECIFIC:[TCPIP$NTP]TCPIP$NTP.CONF",
                conf_mode: ConfMode::Block,
                include_file: "SYS$SPECIFIC:[TCPIP$NTP]KEYTRAIL.CONF",
                keys_file: "SYS$SPECIFIC:[TCPIP$NTP]TCPIP$NTP.KEYS",
                restart: None,
            },
        }
    }
}
