//! The hosts of an address, each with a configuration of its own: whoever dials them one by one can give each
//! its time, also for what follows the connection.

use tokio_postgres::Config;

/// The configurations, in the order of the hosts.
pub(crate) fn each(config: &Config) -> Vec<Config> {
    let (hosts, addresses, ports) = (config.get_hosts(), config.get_hostaddrs(), config.get_ports());
    let one = |at: usize| {
        let mut one = without_hosts(config);
        match hosts.get(at) {
            Some(tokio_postgres::config::Host::Tcp(name)) => drop(one.host(name)),
            #[cfg(unix)]
            Some(tokio_postgres::config::Host::Unix(path)) => drop(one.host_path(path)),
            None => {}
        }
        if let Some(address) = addresses.get(at) {
            one.hostaddr(*address);
        }
        if let Some(port) = ports.get(at).or_else(|| ports.first()) {
            one.port(*port);
        }
        one
    };
    (0..hosts.len().max(addresses.len())).map(one).collect()
}

fn without_hosts(config: &Config) -> Config {
    let mut one = Config::new();
    config.get_user().map(|user| one.user(user));
    config.get_password().map(|password| one.password(password));
    config.get_dbname().map(|name| one.dbname(name));
    config.get_options().map(|options| one.options(options));
    config.get_application_name().map(|name| one.application_name(name));
    config.get_connect_timeout().map(|time| one.connect_timeout(*time));
    config.get_tcp_user_timeout().map(|time| one.tcp_user_timeout(*time));
    config.get_keepalives_interval().map(|time| one.keepalives_interval(time));
    config.get_keepalives_retries().map(|times| one.keepalives_retries(times));
    one.ssl_mode(config.get_ssl_mode())
        .ssl_negotiation(config.get_ssl_negotiation())
        .keepalives(config.get_keepalives())
        .keepalives_idle(config.get_keepalives_idle())
        .target_session_attrs(config.get_target_session_attrs())
        .channel_binding(config.get_channel_binding());
    one
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_host_keeps_everything_but_the_others() {
        let text = "host=a,b hostaddr=192.0.2.1,192.0.2.2 port=1,2 user=u password=p dbname=d options='-c x=1' \
                    application_name=n sslmode=require connect_timeout=7 tcp_user_timeout=8 keepalives=0 \
                    keepalives_idle=9 keepalives_interval=10 keepalives_retries=11 channel_binding=require \
                    target_session_attrs=read-write";
        let all: Config = text.parse().unwrap();
        let alone = |host: &str, address: &str, port: &str| -> Config {
            let text = text.replace("a,b", host).replace("192.0.2.1,192.0.2.2", address);
            text.replace("port=1,2", &format!("port={port}")).parse().unwrap()
        };
        assert_eq!(each(&all), [alone("a", "192.0.2.1", "1"), alone("b", "192.0.2.2", "2")]);
        let one_port: Config = "postgres://a,b,c:5/d".parse().unwrap();
        let ports: Vec<_> = each(&one_port).iter().map(|one| one.get_ports().to_vec()).collect();
        assert_eq!(ports, [[5432], [5432], [5]]);
        let shared: Config = "host=a,/run/b port=6".parse().unwrap();
        let of_each = each(&shared);
        assert_eq!(
            of_each,
            ["host=a port=6".parse::<Config>().unwrap(), "host=/run/b port=6".parse().unwrap()]
        );
    }
}
