use tokio::task_local;

task_local! {
    static CURRENT: Client;
}

/// What kind of work it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// Someone waits for one answer: an image, a pair.
    Interactive,
    /// Part of a file that takes long anyway: a batch, a stream, a volume.
    Bulk,
}

/// For whom work is done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Client {
    /// A number for the token's name or the peer's address.
    pub principal: u64,
    /// A number for the connection.
    pub connection: u64,
}

impl Client {
    /// The client whose request this task answers; nobody in particular outside of requests.
    #[must_use]
    pub fn current() -> Self {
        CURRENT.try_with(|client| *client).unwrap_or_default()
    }

    /// Runs `work` as work for this client.
    pub async fn scope<F: Future>(self, work: F) -> F::Output {
        CURRENT.scope(self, work).await
    }
}

/// Work that shares threads and memory with other work: of which class, and for whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Flow {
    /// Of which class.
    pub class: Class,
    /// For whom.
    pub client: Client,
}

impl Flow {
    /// Interactive work for the client whose request this task answers.
    #[must_use]
    pub fn interactive() -> Self {
        Self { class: Class::Interactive, client: Client::current() }
    }

    /// Bulk work for the client whose request this task answers. Bodies are sent outside of the handler's task: take the
    /// flow with you.
    #[must_use]
    pub fn bulk() -> Self {
        Self { class: Class::Bulk, client: Client::current() }
    }
}
