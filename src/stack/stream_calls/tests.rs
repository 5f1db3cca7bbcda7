//! The calls on stream sockets, with Linux's answers: measured on Linux 6.18 over its loopback with a few
//! lines of Python. What becomes of a four-tuple and of TIME-WAIT afterwards was read, not measured.

use std::time::Duration;

use super::super::testing::{Link, addr};
use super::super::{Kind, Protocol, Sockets};
use super::*;
use crate::model::{HostStack, Time};
use Domain::{Inet, Inet6};

const SERVER: &str = "10.0.0.2:7";

/// Poll's answer in short: readable, writable, error, hang-up.
fn poll(link: &mut Link, n: u8, fd: Fd) -> String {
    let is = link.host(n).poll(fd).unwrap();
    let bits = [(is.readable, 'r'), (is.writable, 'w'), (is.error, 'e'), (is.hang_up, 'h')];
    bits.iter().filter(|(on, _)| *on).map(|(_, letter)| letter).collect()
}

fn stream(link: &mut Link, n: u8, domain: Domain, bind: &str) -> Fd {
    let fd = link.host(n).socket(domain, Kind::Stream, Protocol::Tcp).unwrap();
    if !bind.is_empty() {
        link.host(n).bind(fd, addr(bind)).unwrap();
    }
    fd
}

fn listen(link: &mut Link, n: u8, bind: &str, backlog: u32) -> Fd {
    let fd = stream(link, n, Domain::of(&addr(bind)), bind);
    link.host(n).listen(fd, backlog).unwrap();
    fd
}

fn connect(link: &mut Link, n: u8, fd: Fd, to: &str) -> Result<(), Errno> {
    let result = link.host(n).connect(fd, Some(addr(to)));
    link.run();
    result
}

/// Host 1 is connected to host 2: the listener, the client's socket and the server's.
fn pair() -> (Link, Fd, Fd, Fd) {
    let mut link = Link::new(2);
    let listener = listen(&mut link, 2, SERVER, 8);
    let client = stream(&mut link, 1, Inet, "");
    assert_eq!(connect(&mut link, 1, client, SERVER), Err(Errno::EINPROGRESS));
    let (server, _) = link.host(2).accept(listener).unwrap();
    (link, listener, client, server)
}

fn send(link: &mut Link, n: u8, fd: Fd, data: &[u8]) -> Result<usize, Errno> {
    let result = link.host(n).send(fd, data);
    link.run();
    result
}

/// The bytes that a receive of at most 9 gives, as text.
fn recv(link: &mut Link, n: u8, fd: Fd) -> Result<String, Errno> {
    let mut buffer = [0; 9];
    let len = link.host(n).recv(fd, &mut buffer)?;
    Ok(String::from_utf8(buffer[..len].to_vec()).unwrap())
}

fn shutdown(link: &mut Link, n: u8, fd: Fd, how: How) -> Result<(), Errno> {
    let result = link.host(n).shutdown(fd, how);
    link.run();
    result
}

fn close(link: &mut Link, n: u8, fd: Fd) {
    link.host(n).close(fd).unwrap();
    link.run();
}

fn reset(link: &mut Link, n: u8, fd: Fd) {
    link.set(n, fd, SocketOption::Linger(Some(Duration::ZERO))).unwrap();
    close(link, n, fd);
}

fn end() -> Result<String, Errno> {
    Ok(String::new())
}

#[test]
fn a_fresh_socket_is_not_connected() {
    let mut link = Link::new(1);
    let fd = stream(&mut link, 1, Inet, "");
    assert_eq!(poll(&mut link, 1, fd), "wh");
    assert_eq!(recv(&mut link, 1, fd), Err(Errno::ENOTCONN));
    assert_eq!(send(&mut link, 1, fd, b"x"), Err(Errno::EPIPE));
    assert_eq!(shutdown(&mut link, 1, fd, How::Both), Err(Errno::ENOTCONN));
    assert_eq!(link.host(1).accept(fd), Err(Errno::EINVAL));
    assert_eq!(link.host(1).peer_addr(fd), Err(Errno::ENOTCONN));
    assert_eq!(link.host(1).connect(fd, None), Ok(()));
    assert_eq!(link.host(1).listen(fd, 1), Ok(()), "a port is picked");
    assert_ne!(link.host(1).local_addr(fd).unwrap().port(), 0);
}

#[test]
fn a_listener_accepts_and_does_nothing_else() {
    let (mut link, listener, _, _) = pair();
    assert_eq!(poll(&mut link, 2, listener), "");
    assert_eq!(link.host(2).accept(listener), Err(Errno::EAGAIN));
    assert_eq!(recv(&mut link, 2, listener), Err(Errno::ENOTCONN));
    assert_eq!(send(&mut link, 2, listener, b"x"), Err(Errno::EPIPE));
    assert_eq!(connect(&mut link, 2, listener, "10.0.0.1:1"), Err(Errno::EISCONN));
    assert_eq!(link.host(2).peer_addr(listener), Err(Errno::ENOTCONN));
    assert_eq!(shutdown(&mut link, 2, listener, How::Write), Ok(()), "nothing happens");
    assert_eq!(link.host(2).accept(listener), Err(Errno::EAGAIN));
    assert_eq!(shutdown(&mut link, 2, listener, How::Both), Ok(()));
    assert_eq!(poll(&mut link, 2, listener), "wh");
    assert_eq!(link.host(2).accept(listener), Err(Errno::EINVAL));
    assert_eq!(link.host(2).listen(listener, 5), Ok(()));
    assert_eq!(link.host(2).connect(listener, None), Ok(()), "it listens no more");
    assert_eq!(link.host(2).accept(listener), Err(Errno::EINVAL));
}

#[test]
fn connect_tells_once_that_it_is_done() {
    let mut link = Link::new(2);
    let listener = listen(&mut link, 2, SERVER, 8);
    let fd = stream(&mut link, 1, Inet, "");
    assert_eq!(link.host(1).connect(fd, Some(addr(SERVER))), Err(Errno::EINPROGRESS));
    assert_eq!(link.host(1).connect(fd, Some(addr(SERVER))), Err(Errno::EALREADY));
    assert_eq!(poll(&mut link, 1, fd), "");
    let stack = link.host(1);
    assert_eq!((stack.send(fd, b"x"), stack.recv(fd, &mut [0])), (Err(Errno::EAGAIN), Err(Errno::EAGAIN)));
    assert_eq!(
        (stack.listen(fd, 1), stack.bind(fd, addr("0.0.0.0:9"))),
        (Err(Errno::EINVAL), Err(Errno::EINVAL))
    );
    assert_eq!(stack.peer_addr(fd), Err(Errno::ENOTCONN));
    link.run();
    assert_eq!(link.changed(1), [fd]);
    assert_eq!(poll(&mut link, 1, fd), "w");
    assert_eq!(connect(&mut link, 1, fd, SERVER), Ok(()));
    assert_eq!(connect(&mut link, 1, fd, SERVER), Err(Errno::EISCONN));
    assert_eq!(link.host(1).peer_addr(fd), Ok(addr(SERVER)));
    assert_eq!(link.host(1).accept(fd), Err(Errno::EINVAL));
    assert_eq!(poll(&mut link, 2, listener), "r");
    let ours = link.host(1).local_addr(fd).unwrap();
    let (server, from) = link.host(2).accept(listener).unwrap();
    assert_eq!((from, link.host(2).local_addr(server)), (ours, Ok(addr(SERVER))));
    assert_eq!(connect(&mut link, 2, server, "10.0.0.1:1"), Err(Errno::EISCONN));
    assert_eq!(recv(&mut link, 2, server), Err(Errno::EAGAIN));
}

#[test]
fn a_refused_connect_is_told_once_and_leaves_a_fresh_socket() {
    let mut link = Link::new(2);
    let fd = stream(&mut link, 1, Inet, "");
    assert_eq!(connect(&mut link, 1, fd, SERVER), Err(Errno::EINPROGRESS));
    assert_eq!(poll(&mut link, 1, fd), "rweh");
    assert_eq!(link.host(1).connect(fd, Some(addr(SERVER))), Err(Errno::ECONNREFUSED));
    assert_eq!(poll(&mut link, 1, fd), "wh");
    assert!(link.host(1).local_addr(fd).unwrap().ip().is_unspecified(), "the address is given back");
    // Another address, which another address of its own leads to.
    assert_eq!(link.host(1).connect(fd, Some(addr("127.0.0.1:7"))), Err(Errno::EINPROGRESS));
    assert_eq!(link.host(1).connect(fd, Some(addr("127.0.0.1:7"))), Err(Errno::ECONNREFUSED));
    assert_eq!(connect(&mut link, 1, fd, SERVER), Err(Errno::EINPROGRESS));
    // Or a receive, a send or SO_ERROR tells it.
    assert_eq!(recv(&mut link, 1, fd), Err(Errno::ECONNREFUSED));
    assert_eq!(recv(&mut link, 1, fd), end());
    assert_eq!(poll(&mut link, 1, fd), "rwh");
    assert_eq!(send(&mut link, 1, fd, b"x"), Err(Errno::EPIPE));
    assert_eq!(connect(&mut link, 1, fd, SERVER), Err(Errno::ECONNABORTED));
    assert_eq!(connect(&mut link, 1, fd, SERVER), Err(Errno::EINPROGRESS));
    assert_eq!(send(&mut link, 1, fd, b"x"), Err(Errno::ECONNREFUSED));
    assert_eq!(connect(&mut link, 1, fd, SERVER), Err(Errno::ECONNABORTED));
    assert_eq!(connect(&mut link, 1, fd, SERVER), Err(Errno::EINPROGRESS));
    assert_eq!(link.host(1).take_error(fd), Ok(Some(Errno::ECONNREFUSED)));
    assert_eq!(link.host(1).take_error(fd), Ok(None));
    assert_eq!(shutdown(&mut link, 1, fd, How::Both), Err(Errno::ENOTCONN));
    assert_eq!(link.host(1).peer_addr(fd), Err(Errno::ENOTCONN));
}

#[test]
fn any_shutdown_gives_a_connect_up() {
    for how in [How::Read, How::Write, How::Both] {
        let mut link = Link::new(2);
        let fd = stream(&mut link, 1, Inet, "");
        assert_eq!(link.host(1).connect(fd, Some(addr(SERVER))), Err(Errno::EINPROGRESS));
        assert_eq!(link.host(1).shutdown(fd, how), Ok(()));
        assert!(poll(&mut link, 1, fd).contains("weh"));
        assert_eq!(recv(&mut link, 1, fd), Err(Errno::ECONNRESET));
        assert_eq!(shutdown(&mut link, 1, fd, how), Err(Errno::ENOTCONN));
    }
}

#[test]
fn addresses_that_cannot_be_had() {
    let (mut link, _, client, _) = pair();
    let taken = link.host(1).local_addr(client).unwrap().to_string();
    let fd = stream(&mut link, 1, Inet, "");
    let mut bind = |to: &str| link.host(1).bind(fd, addr(to));
    assert_eq!(bind("8.8.8.8:0"), Err(Errno::EADDRNOTAVAIL));
    assert_eq!(bind("[::]:9"), Err(Errno::EAFNOSUPPORT));
    assert_eq!(bind(&taken), Err(Errno::EADDRINUSE));
    assert_eq!(bind("10.0.0.1:9"), Ok(()));
    assert_eq!(bind("10.0.0.1:10"), Err(Errno::EINVAL));
    for to in ["255.255.255.255:9", "10.0.0.255:9", "224.0.0.1:9", "8.8.8.8:9"] {
        assert_eq!(connect(&mut link, 1, fd, to), Err(Errno::ENETUNREACH), "{to}");
    }
}

#[test]
fn a_four_tuple_is_had_once() {
    let mut link = Link::new(2);
    let listener = listen(&mut link, 2, SERVER, 8);
    let fds = [0, 1].map(|_| {
        let fd = stream(&mut link, 1, Inet, "");
        link.set(1, fd, SocketOption::ReuseAddress(true)).unwrap();
        link.host(1).bind(fd, addr("10.0.0.1:9")).unwrap();
        fd
    });
    assert_eq!(connect(&mut link, 1, fds[0], SERVER), Err(Errno::EINPROGRESS));
    assert_eq!(connect(&mut link, 1, fds[1], SERVER), Err(Errno::EADDRNOTAVAIL));
    // Once it is over, it can be had again, though sockets of the old one are still there.
    let (old, _) = link.host(2).accept(listener).unwrap();
    reset(&mut link, 1, fds[0]);
    assert_eq!(connect(&mut link, 1, fds[1], SERVER), Err(Errno::EINPROGRESS));
    let (new, _) = link.host(2).accept(listener).unwrap();
    assert_eq!(send(&mut link, 1, fds[1], b"new"), Ok(3));
    assert_eq!(recv(&mut link, 2, old), Err(Errno::ECONNRESET));
    assert_eq!(recv(&mut link, 2, new), Ok("new".to_owned()));
    assert_eq!(link.host(2).check(), Ok(()));
}

#[test]
fn a_port_is_shared_if_both_say_so_and_neither_listens() {
    let mut link = Link::new(1);
    let open = |link: &mut Link, reuse| {
        let fd = stream(link, 1, Inet, "");
        link.set(1, fd, SocketOption::ReuseAddress(reuse)).unwrap();
        fd
    };
    let at = addr("10.0.0.1:9");
    let first = open(&mut link, true);
    assert_eq!(link.host(1).bind(first, at), Ok(()));
    let unsharing = open(&mut link, false);
    assert_eq!(link.host(1).bind(unsharing, at), Err(Errno::EADDRINUSE));
    let second = open(&mut link, true);
    assert_eq!(link.host(1).bind(second, at), Ok(()));
    assert_eq!(link.host(1).listen(first, 1), Ok(()));
    assert_eq!(link.host(1).listen(second, 1), Err(Errno::EADDRINUSE));
    let third = open(&mut link, true);
    assert_eq!(link.host(1).bind(third, at), Err(Errno::EADDRINUSE));
    assert_eq!(link.host(1).bind(third, addr("0.0.0.0:9")), Err(Errno::EADDRINUSE));
    assert_eq!(link.host(1).bind(third, addr("127.0.0.1:9")), Ok(()));
}

#[test]
fn no_two_listeners_match_one_address() {
    // Both share the port; the second listens if its addresses do not overlap with the first's.
    for (first, second, expected) in [
        ("0.0.0.0:7", "10.0.0.2:7", Err(Errno::EADDRINUSE)),
        ("10.0.0.2:7", "0.0.0.0:7", Err(Errno::EADDRINUSE)),
        ("[::]:7", "0.0.0.0:7", Err(Errno::EADDRINUSE)),
        ("0.0.0.0:7", "[::]:7", Err(Errno::EADDRINUSE)),
        ("[::]:7", "10.0.0.2:7", Err(Errno::EADDRINUSE)),
        ("10.0.0.2:7", "[::ffff:10.0.0.2]:7", Err(Errno::EADDRINUSE)),
        ("127.0.0.1:7", "10.0.0.2:7", Ok(())),
        ("[fd00::2]:7", "10.0.0.2:7", Ok(())),
    ] {
        let mut link = Link::new(2);
        let fds = [first, second].map(|bind| {
            let fd = stream(&mut link, 2, Domain::of(&addr(bind)), "");
            link.set(2, fd, SocketOption::ReuseAddress(true)).unwrap();
            link.host(2).bind(fd, addr(bind)).unwrap();
            fd
        });
        assert_eq!(link.host(2).listen(fds[0], 1), Ok(()));
        assert_eq!(link.host(2).listen(fds[1], 1), expected, "{first}, then {second}");
        if expected.is_ok() {
            let client = stream(&mut link, 1, Inet, "");
            connect(&mut link, 1, client, SERVER).unwrap_err();
            assert_eq!(link.host(2).accept(fds[0]), Err(Errno::EAGAIN), "{first}");
            assert!(link.host(2).accept(fds[1]).is_ok(), "{second}");
        }
    }
}

#[test]
fn time_wait_keeps_a_port_from_those_who_do_not_share() {
    for (first, second) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut link = Link::new(2);
        let listener = stream(&mut link, 2, Inet, "");
        link.set(2, listener, SocketOption::ReuseAddress(first)).unwrap();
        link.host(2).bind(listener, addr(SERVER)).unwrap();
        link.host(2).listen(listener, 1).unwrap();
        let client = stream(&mut link, 1, Inet, "");
        connect(&mut link, 1, client, SERVER).unwrap_err();
        let (server, _) = link.host(2).accept(listener).unwrap();
        close(&mut link, 2, server);
        close(&mut link, 1, client);
        close(&mut link, 2, listener);
        let again = stream(&mut link, 2, Inet, "");
        link.set(2, again, SocketOption::ReuseAddress(second)).unwrap();
        let expected = if first && second { Ok(()) } else { Err(Errno::EADDRINUSE) };
        assert_eq!(link.host(2).bind(again, addr(SERVER)), expected, "{first}, {second}");
    }
}

#[test]
fn a_syn_ends_time_wait_only_for_a_listener_and_leaves_the_old_socket_alone() {
    for listens in [false, true] {
        let (mut link, listener, client, server) = pair();
        let port = link.host(1).local_addr(client).unwrap();
        shutdown(&mut link, 2, server, How::Write).unwrap();
        close(&mut link, 1, client);
        // The server has closed first and is in TIME-WAIT, its socket still open.
        if !listens {
            close(&mut link, 2, listener);
        }
        link.host(1).handle_timeout(Time::from_millis(1_000));
        let again = stream(&mut link, 1, Inet, "");
        link.host(1).bind(again, port).unwrap();
        assert_eq!(connect(&mut link, 1, again, SERVER), Err(Errno::EINPROGRESS));
        assert_eq!(link.host(2).check(), Ok(()));
        assert_eq!(recv(&mut link, 2, server), end());
        if listens {
            let (new, _) = link.host(2).accept(listener).unwrap();
            send(&mut link, 1, again, b"new").unwrap();
            assert_eq!(recv(&mut link, 2, new), Ok("new".to_owned()));
            assert_eq!(recv(&mut link, 2, server), end());
        } else {
            assert_eq!(link.host(2).connections.len(), 1, "TIME-WAIT goes on");
        }
    }
}

#[test]
fn a_backlog_of_n_lets_one_more_wait() {
    for backlog in [0, 1, 3] {
        let mut link = Link::new(2);
        let listener = listen(&mut link, 2, SERVER, backlog);
        let clients: Vec<Fd> = (0..backlog + 4).map(|_| stream(&mut link, 1, Inet, "")).collect();
        for fd in &clients {
            assert_eq!(connect(&mut link, 1, *fd, SERVER), Err(Errno::EINPROGRESS));
        }
        let connected = clients.iter().filter(|fd| poll(&mut link, 1, **fd) == "w").count();
        assert_eq!(connected as u32, backlog + 1);
        let accepted = std::iter::from_fn(|| link.host(2).accept(listener).ok()).count();
        assert_eq!(accepted as u32, backlog + 1);
    }
}

#[test]
fn an_accept_without_a_descriptor_loses_no_connection() {
    let mut link = Link::new(2);
    let listener = listen(&mut link, 2, SERVER, 8);
    let client = stream(&mut link, 1, Inet, "");
    connect(&mut link, 1, client, SERVER).unwrap_err();
    let mut last = None;
    while let Ok(fd) = link.host(2).socket(Inet, Kind::Datagram, Protocol::Udp) {
        last = Some(fd);
    }
    assert_eq!(link.host(2).accept(listener), Err(Errno::EMFILE));
    assert_eq!(poll(&mut link, 2, listener), "r");
    close(&mut link, 2, last.unwrap());
    let (server, _) = link.host(2).accept(listener).unwrap();
    send(&mut link, 1, client, b"hello").unwrap();
    assert_eq!(recv(&mut link, 2, server), Ok("hello".to_owned()));
}

#[test]
fn what_waits_at_a_listener_may_be_reset_and_is_reset_with_it() {
    let mut link = Link::new(2);
    let listener = listen(&mut link, 2, SERVER, 8);
    let fds = [0, 1].map(|_| {
        let fd = stream(&mut link, 1, Inet, "");
        connect(&mut link, 1, fd, SERVER).unwrap_err();
        fd
    });
    reset(&mut link, 1, fds[0]);
    let (server, _) = link.host(2).accept(listener).unwrap();
    assert_eq!(poll(&mut link, 2, server), "rweh");
    assert_eq!(recv(&mut link, 2, server), Err(Errno::ECONNRESET));
    assert_eq!(recv(&mut link, 2, server), end());
    close(&mut link, 2, listener);
    assert_eq!(poll(&mut link, 1, fds[1]), "rweh");
    assert_eq!(connect(&mut link, 1, fds[1], SERVER), Err(Errno::ECONNRESET));
}

#[test]
fn shutdown_of_the_writing_side() {
    let (mut link, _, client, server) = pair();
    assert_eq!(shutdown(&mut link, 1, client, How::Write), Ok(()));
    assert_eq!((poll(&mut link, 1, client), poll(&mut link, 2, server)), ("w".to_owned(), "rw".to_owned()));
    assert_eq!(send(&mut link, 1, client, b"x"), Err(Errno::EPIPE));
    assert_eq!(shutdown(&mut link, 1, client, How::Write), Ok(()));
    assert_eq!((recv(&mut link, 2, server), recv(&mut link, 2, server)), (end(), end()));
    assert_eq!(send(&mut link, 2, server, b"xy"), Ok(2));
    assert_eq!(recv(&mut link, 1, client), Ok("xy".to_owned()));
    assert_eq!(recv(&mut link, 1, client), Err(Errno::EAGAIN));
    assert_eq!(shutdown(&mut link, 2, server, How::Write), Ok(()));
    for (n, fd) in [(1, client), (2, server)] {
        assert_eq!(poll(&mut link, n, fd), "rwh");
        assert_eq!(recv(&mut link, n, fd), end());
        assert_eq!(send(&mut link, n, fd, b"x"), Err(Errno::EPIPE));
        for how in [How::Read, How::Write, How::Both] {
            assert_eq!(shutdown(&mut link, n, fd, how), Err(Errno::ENOTCONN));
        }
        assert_eq!(link.host(n).peer_addr(fd), Err(Errno::ENOTCONN));
    }
}

#[test]
fn shutdown_of_the_reading_side() {
    let (mut link, _, client, server) = pair();
    link.set(2, server, SocketOption::NoDelay(true)).unwrap();
    send(&mut link, 2, server, b"abc").unwrap();
    assert_eq!(shutdown(&mut link, 1, client, How::Read), Ok(()));
    assert_eq!(poll(&mut link, 1, client), "rw");
    assert_eq!((recv(&mut link, 1, client), recv(&mut link, 1, client)), (Ok("abc".to_owned()), end()));
    send(&mut link, 2, server, b"de").unwrap();
    assert_eq!((recv(&mut link, 1, client), recv(&mut link, 1, client)), (Ok("de".to_owned()), end()));
    assert_eq!(send(&mut link, 1, client, b"x"), Ok(1));
    assert_eq!(shutdown(&mut link, 1, client, How::Write), Ok(()));
    assert_eq!((poll(&mut link, 1, client), poll(&mut link, 2, server)), ("rwh".to_owned(), "rw".to_owned()));
}

#[test]
fn after_a_reset_what_came_is_read_first_and_the_error_is_told_once() {
    let start = || {
        let (mut link, _, client, server) = pair();
        send(&mut link, 2, server, b"abc").unwrap();
        reset(&mut link, 2, server);
        assert_eq!(poll(&mut link, 1, client), "rweh");
        (link, client)
    };
    let (mut link, fd) = start();
    let mut buffer = [0; 2];
    let received = link.host(1).recv_from(fd, &mut buffer).unwrap();
    assert_eq!((received.len, received.from), (2, addr(SERVER)));
    assert_eq!(recv(&mut link, 1, fd), Ok("c".to_owned()));
    assert_eq!(poll(&mut link, 1, fd), "rweh");
    assert_eq!((recv(&mut link, 1, fd), recv(&mut link, 1, fd)), (Err(Errno::ECONNRESET), end()));
    assert_eq!(poll(&mut link, 1, fd), "rwh");
    assert_eq!(send(&mut link, 1, fd, b"x"), Err(Errno::EPIPE));
    assert_eq!(link.host(1).take_error(fd), Ok(None));
    // A send fails first, or SO_ERROR tells it.
    let (mut link, fd) = start();
    assert_eq!(send(&mut link, 1, fd, b"x"), Err(Errno::ECONNRESET));
    assert_eq!(send(&mut link, 1, fd, b"x"), Err(Errno::EPIPE));
    assert_eq!((recv(&mut link, 1, fd), recv(&mut link, 1, fd)), (Ok("abc".to_owned()), end()));
    let (mut link, fd) = start();
    assert_eq!(link.host(1).take_error(fd), Ok(Some(Errno::ECONNRESET)));
    assert_eq!((recv(&mut link, 1, fd), recv(&mut link, 1, fd)), (Ok("abc".to_owned()), end()));
}

#[test]
fn after_the_end_of_the_stream_a_reset_is_the_writers_matter() {
    let (mut link, _, client, server) = pair();
    shutdown(&mut link, 2, server, How::Write).unwrap();
    reset(&mut link, 2, server);
    assert_eq!(poll(&mut link, 1, client), "rweh");
    assert_eq!((recv(&mut link, 1, client), recv(&mut link, 1, client)), (end(), end()));
    assert_eq!(
        (send(&mut link, 1, client, b"x"), send(&mut link, 1, client, b"x")),
        (Err(Errno::EPIPE), Err(Errno::EPIPE))
    );
    // A peer that has closed answers text with a reset.
    let (mut link, _, client, server) = pair();
    close(&mut link, 2, server);
    assert_eq!(poll(&mut link, 1, client), "rw");
    assert_eq!(send(&mut link, 1, client, b"x"), Ok(1));
    assert_eq!(poll(&mut link, 1, client), "rweh");
    assert_eq!((send(&mut link, 1, client, b"x"), recv(&mut link, 1, client)), (Err(Errno::EPIPE), end()));
}

#[test]
fn a_close_over_unread_text_is_a_reset() {
    let (mut link, _, client, server) = pair();
    send(&mut link, 1, client, b"xx").unwrap();
    close(&mut link, 2, server);
    assert_eq!(poll(&mut link, 1, client), "rweh");
    assert_eq!((recv(&mut link, 1, client), recv(&mut link, 1, client)), (Err(Errno::ECONNRESET), end()));
}

#[test]
fn a_full_send_buffer_is_not_writable() {
    let (mut link, _, client, _) = pair();
    while send(&mut link, 1, client, &[0; 65_536]) != Err(Errno::EAGAIN) {}
    assert_eq!(poll(&mut link, 1, client), "");
    assert_eq!(send(&mut link, 1, client, b""), Ok(0));
    assert_eq!(link.host(1).recv(client, &mut []), Ok(0));
}

#[test]
fn a_host_connects_to_itself_and_a_socket_to_itself() {
    for to in ["127.0.0.1:7", "10.0.0.1:7", "0.0.0.0:7"] {
        let mut link = Link::new(1);
        let listener = listen(&mut link, 1, "0.0.0.0:7", 1);
        let fd = stream(&mut link, 1, Inet, "");
        assert_eq!(connect(&mut link, 1, fd, to), Err(Errno::EINPROGRESS));
        assert_eq!(connect(&mut link, 1, fd, to), Ok(()), "it was done at once");
        let (server, _) = link.host(1).accept(listener).unwrap();
        send(&mut link, 1, fd, b"hello").unwrap();
        assert_eq!(recv(&mut link, 1, server), Ok("hello".to_owned()));
        assert!(link.wire.is_empty());
    }
    let mut link = Link::new(1);
    let fd = stream(&mut link, 1, Inet, "127.0.0.1:9");
    assert_eq!(connect(&mut link, 1, fd, "127.0.0.1:9"), Err(Errno::EINPROGRESS));
    assert_eq!(send(&mut link, 1, fd, b"hi"), Ok(2));
    assert_eq!(recv(&mut link, 1, fd), Ok("hi".to_owned()));
    assert_eq!(link.host(1).peer_addr(fd), link.host(1).local_addr(fd));
    assert_eq!(shutdown(&mut link, 1, fd, How::Write), Ok(()));
    assert_eq!((poll(&mut link, 1, fd), recv(&mut link, 1, fd)), ("rwh".to_owned(), end()));
}

#[test]
fn ipv4_is_mapped_on_ipv6_sockets() {
    let mut link = Link::new(2);
    let listener = listen(&mut link, 2, "[::]:7", 8);
    let (v4, v6) = (stream(&mut link, 1, Inet, ""), stream(&mut link, 1, Inet6, ""));
    for (fd, to) in [(v4, SERVER), (v6, "[::ffff:10.0.0.2]:7")] {
        assert_eq!(connect(&mut link, 1, fd, to), Err(Errno::EINPROGRESS));
        assert_eq!(link.host(1).peer_addr(fd), Ok(addr(to)));
        let (server, from) = link.host(2).accept(listener).unwrap();
        assert_eq!(from.ip(), addr("[::ffff:10.0.0.1]:0").ip());
        assert_eq!(link.host(2).local_addr(server), Ok(addr("[::ffff:10.0.0.2]:7")));
    }
    let other = stream(&mut link, 2, Inet, "");
    assert_eq!(link.host(2).bind(other, addr("0.0.0.0:7")), Err(Errno::EADDRINUSE));
    let only = stream(&mut link, 1, Inet6, "");
    link.set(1, only, SocketOption::V6Only(true)).unwrap();
    assert_eq!(connect(&mut link, 1, only, "[::ffff:10.0.0.2]:7"), Err(Errno::ENETUNREACH));
}

#[test]
fn dissolving_a_connection_resets_it_and_gives_back_what_was_picked() {
    let (mut link, _, client, server) = pair();
    assert_eq!(link.host(1).connect(client, None), Ok(()));
    link.run();
    assert_eq!(recv(&mut link, 2, server), Err(Errno::ECONNRESET));
    assert!(link.host(1).local_addr(client).unwrap().ip().is_unspecified());
    assert_eq!(connect(&mut link, 1, client, SERVER), Err(Errno::EINPROGRESS));
    assert_eq!(poll(&mut link, 1, client), "w");
    let bound = stream(&mut link, 1, Inet, "10.0.0.1:9");
    assert_eq!(connect(&mut link, 1, bound, SERVER), Err(Errno::EINPROGRESS));
    assert_eq!(link.host(1).connect(bound, None), Ok(()));
    assert_eq!(link.host(1).local_addr(bound), Ok(addr("10.0.0.1:9")));
}

#[test]
fn a_peek_leaves_bytes_and_the_end_where_they_are() {
    let (mut link, _, client, server) = pair();
    assert_eq!(link.host(2).peek(server, &mut [0]).err(), Some(Errno::EAGAIN));
    send(&mut link, 1, client, b"twice").unwrap();
    let mut buffer = [0; 3];
    for _ in 0..2 {
        let seen = link.host(2).peek(server, &mut buffer).unwrap();
        assert_eq!((seen.len, seen.full_len, &buffer), (3, 3, b"twi"));
    }
    assert_eq!(recv(&mut link, 2, server).as_deref(), Ok("twice"));
    shutdown(&mut link, 1, client, How::Write).unwrap();
    assert_eq!(link.host(2).peek(server, &mut buffer).map(|seen| seen.len), Ok(0));
    assert_eq!(recv(&mut link, 2, server).as_deref(), Ok(""));
}
