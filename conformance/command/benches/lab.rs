//! What the kernel lab costs: set-up and tear-down, cases a second without faults, packets a second of the
//! forwarder; each with both kinds of devices, and beside the same over the loopback interface of this
//! machine, as a floor.
//!
//! `cargo bench -p faultwire-command --bench lab`. Times and rates are medians; take the ratios, not the
//! times. Where the machine refuses a lab, it says so.
#![expect(clippy::print_stdout, reason = "a benchmark tells its figures")]

#[cfg(target_os = "linux")]
fn main() {
    lab::main();
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("skipped: only Linux has a lab");
}

#[cfg(target_os = "linux")]
mod lab {
    use std::io::{Read as _, Write as _};
    use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
    use std::process::Command;
    use std::thread;
    use std::time::{Duration, Instant};

    use faultwire::fault::{FaultPlan, Link, LinkNumbers};
    use faultwire::lab::{
        DeviceKind, End, Forwarder, HostConfig, KernelHost, Lab, LabError, LabHost, Profile,
    };
    use faultwire::stack::{Domain, Kind, Protocol};
    use socket2::{Socket, Type};

    /// How often a lab is made.
    const LABS: usize = 31;
    /// Cases that are timed one by one, the echoes in each, and the bytes of an echo.
    const CASES: usize = 301;
    const ECHOES: usize = 10;
    const ECHO: usize = 1_024;
    /// How often the datagrams are timed, how many of them, of which length, and how many are under way at a
    /// time.
    const ROUNDS: usize = 9;
    const DATAGRAMS: usize = 4_096;
    const LENGTH: usize = 1_472;
    const BURST: usize = 32;

    /// Where programs have their sockets.
    enum Place {
        Loopback,
        Hosts { client: KernelHost, server: KernelHost, forwarder: Forwarder, _lab: Lab },
    }

    impl Place {
        /// Two hosts of the kernel, with devices of that kind.
        fn hosts(kind: DeviceKind) -> Result<Place, LabError> {
            let mut helper = Command::new(env!("CARGO_BIN_EXE_faultwire"));
            helper.arg("lab-helper");
            let config = |last| {
                HostConfig::new(
                    Ipv4Addr::new(10, 0, 0, last),
                    Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, last.into()),
                )
                .with_profile(Profile::Fast)
            };
            let (lab, hosts) = Lab::start(helper, &[config(1), config(2)], Some(kind))?;
            let [client, server] = <[LabHost; 2]>::try_from(hosts).expect("two were asked for");
            let link = Link::Numbers(LinkNumbers::new(0, 1500));
            let plan = FaultPlan::new().link(link);
            let ends = [("client", End::Device(client.device)), ("server", End::Device(server.device))];
            let forwarder = Forwarder::start(&plan, ends).expect("a plan without faults");
            Ok(Place::Hosts { client: client.host, server: server.host, forwarder, _lab: lab })
        }

        fn addr(&self, port: u16) -> SocketAddr {
            match self {
                Place::Loopback => (Ipv4Addr::LOCALHOST, port).into(),
                Place::Hosts { .. } => (Ipv4Addr::new(10, 0, 0, 2), port).into(),
            }
        }

        fn socket(&self, of_server: bool, kind: Kind) -> Socket {
            let socket = match self {
                Place::Loopback => {
                    let kind = if kind == Kind::Stream { Type::STREAM } else { Type::DGRAM };
                    return Socket::new(socket2::Domain::IPV4, kind, None).expect("a socket");
                }
                Place::Hosts { server, .. } if of_server => {
                    server.socket(Domain::Inet, kind, Protocol::Default)
                }
                Place::Hosts { client, .. } => client.socket(Domain::Inet, kind, Protocol::Default),
            };
            socket.expect("a socket").into()
        }

        /// Nothing may have been lost: a rate of what was lost is none.
        fn check(&self) {
            let Place::Hosts { client, server, forwarder, .. } = self else { return };
            let stats = forwarder.stats().expect("the devices count");
            assert_eq!(stats.lost(), 0, "{stats:?}");
            for host in [client, server] {
                assert_eq!(host.counters().expect("the kernel counts").lost(), 0);
            }
        }
    }

    #[expect(clippy::disallowed_methods, reason = "what a benchmark measures is real time")]
    fn time<T>(what: impl FnOnce() -> T) -> (Duration, T) {
        let begun = Instant::now();
        let result = what();
        (begun.elapsed(), result)
    }

    fn median(mut times: Vec<Duration>) -> f64 {
        times.sort();
        times[times.len() / 2].as_secs_f64()
    }

    /// Set-up until the forwarder runs, and tear-down until the helper is gone, in seconds.
    fn labs(kind: DeviceKind) -> Result<(f64, f64), LabError> {
        let (mut up, mut down) = (Vec::new(), Vec::new());
        for _ in 0..LABS {
            let (took, place) = time(|| Place::hosts(kind));
            let place = place?;
            up.push(took);
            down.push(time(|| drop(place)).0);
        }
        Ok((median(up), median(down)))
    }

    /// A connect, some echoes, and an orderly close: seconds for each case.
    fn cases(place: &Place) -> f64 {
        let listener = place.socket(true, Kind::Stream);
        listener.bind(&place.addr(0).into()).expect("a free port");
        listener.listen(4).expect("it listens");
        let at = listener.local_addr().expect("it is bound").as_socket().expect("an address");
        let listener = TcpListener::from(listener);
        let times = thread::scope(|scope| {
            scope.spawn(move || {
                for _ in 0..CASES {
                    let (mut stream, _) = listener.accept().expect("a client");
                    stream.set_nodelay(true).expect("an option that each socket has");
                    let mut buffer = [0; ECHO];
                    while stream.read_exact(&mut buffer).is_ok() {
                        stream.write_all(&buffer).expect("the client takes it");
                    }
                }
            });
            let case = || {
                let socket = place.socket(false, Kind::Stream);
                socket.connect(&at.into()).expect("the server is there");
                let mut stream = TcpStream::from(socket);
                stream.set_nodelay(true).expect("an option that each socket has");
                let mut buffer = [0; ECHO];
                for n in 0..ECHOES {
                    stream.write_all(&[n as u8; ECHO]).expect("the server takes it");
                    stream.read_exact(&mut buffer).expect("the echo");
                }
                stream.shutdown(Shutdown::Write).expect("a connection");
                assert_eq!(stream.read(&mut buffer).expect("the end"), 0);
            };
            (0..CASES).map(|_| time(case).0).collect()
        });
        place.check();
        median(times)
    }

    /// Full datagrams in bursts, each burst received before the next one is sent: seconds for each datagram.
    fn datagrams(place: &Place) -> f64 {
        let server = place.socket(true, Kind::Datagram);
        server.bind(&place.addr(0).into()).expect("a free port");
        let at = server.local_addr().expect("it is bound").as_socket().expect("an address");
        let (server, client) =
            (UdpSocket::from(server), UdpSocket::from(place.socket(false, Kind::Datagram)));
        server.set_read_timeout(Some(Duration::from_secs(5))).expect("an option that each socket has");
        client.connect(at).expect("an address");
        let mut buffer = [0; LENGTH];
        let mut round = || {
            for _ in 0..DATAGRAMS / BURST {
                for _ in 0..BURST {
                    client.send(&[7; LENGTH]).expect("it is sent");
                }
                for _ in 0..BURST {
                    assert_eq!(server.recv(&mut buffer).expect("none is lost"), LENGTH);
                }
            }
        };
        let times = (0..ROUNDS).map(|_| time(&mut round).0).collect();
        place.check();
        median(times) / DATAGRAMS as f64
    }

    pub(super) fn main() {
        let (floor_case, floor_datagram) = (cases(&Place::Loopback), datagrams(&Place::Loopback));
        println!(
            "loopback   {:6.0} cases/s                  {:7.0} packets/s",
            floor_case.recip(),
            floor_datagram.recip()
        );
        for (name, kind) in [("TUN", DeviceKind::Tun), ("packet", DeviceKind::Packet)] {
            match labs(kind) {
                Err(error) => println!("{name}: skipped: {error}"),
                Ok((up, down)) => {
                    let place = || Place::hosts(kind).expect("the machine has allowed some");
                    let (case, datagram) = (cases(&place()), datagrams(&place()));
                    println!(
                        "{name:10} {:6.0} cases/s ({:.2} of loopback)  {:6.0} packets/s ({:.2} of \
                         loopback)   set-up {:.1} ms   tear-down {:.1} ms",
                        case.recip(),
                        floor_case / case,
                        datagram.recip(),
                        floor_datagram / datagram,
                        up * 1e3,
                        down * 1e3,
                    );
                }
            }
        }
    }
}
