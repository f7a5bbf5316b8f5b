use std::path::{Path as FsPath, PathBuf};
use std::{fs, io};

use futures_util::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};

use super::documents;
use super::documents::GroupFacts;
use super::{Array, DataLocation, GROUPS, GroupName, Store, StoreError, chunk};
use crate::spider::ScanId;
use crate::volume::Volume;

impl Store {
    /// Writes every slice of one array. Nothing refers to them until the index does, so an interrupted import leaves
    /// only chunks that the next one writes again.
    ///
    /// # Errors
    /// [`StoreError::Write`], naming the chunk.
    pub async fn write_array(&self, group: &GroupName, array: Array, volume: &Volume) -> Result<(), StoreError> {
        let planes = (0..volume.geometry.axes[0].len).map_while(|slice| Some((slice, volume.slice(slice)?)));
        let written = planes.map(|(slice, plane)| async move {
            let path = Self::slice_path(group, array, slice);
            let encoded = chunk::encode(array, plane.bytes).map_err(|error| {
                let source = object_store::Error::Generic { store: "zstd", source: Box::new(error) };
                StoreError::Write { path: path.to_string(), source }
            })?;
            self.put(&path, encoded.into()).await
        });
        stream::iter(written).buffer_unordered(self.requests_at_once()).try_collect().await
    }

    /// Writes the JSON documents that make the chunks a Zarr group; the group's own comes last.
    ///
    /// # Errors
    /// [`StoreError::Write`], naming the document.
    pub async fn write_documents(&self, group: &GroupName, facts: &GroupFacts) -> Result<(), StoreError> {
        for (name, document) in documents::all(group.scan, facts) {
            let path = Path::from(format!("{}/{name}", group.path()));
            self.put(&path, document.to_string().into_bytes().into()).await?;
        }
        Ok(())
    }

    /// Removes a group that the index no longer refers to.
    ///
    /// # Errors
    /// [`StoreError::Write`], naming what could not be removed.
    pub async fn remove(&self, group: &GroupName) -> Result<(), StoreError> {
        self.remove_group(&group.path()).await
    }

    /// The same by the group's path. A path that is not that of a group removes nothing.
    ///
    /// # Errors
    /// [`StoreError::Write`], naming what could not be removed.
    pub async fn remove_group(&self, path: &str) -> Result<(), StoreError> {
        if path.strip_prefix(GROUPS).is_none_or(|name| !name.ends_with(".ome.zarr")) {
            return Ok(());
        }
        let prefix = Path::from(path);
        let failed = |source| StoreError::Write { path: prefix.to_string(), source };
        let found: Vec<_> = self.objects.list(Some(&prefix)).try_collect().await.map_err(failed)?;
        let found = stream::iter(found.into_iter().map(|object| Ok(object.location))).boxed();
        // A bucket takes a thousand in one request.
        self.objects.delete_stream(found).try_for_each(async |_| Ok(())).await.map_err(failed)
    }

    /// Removes what a writer of this group left behind when it was killed: chunks that had not got their names yet, which
    /// no listing of the store shows. Call it before the group is written.
    ///
    /// # Errors
    /// [`StoreError::Write`], naming the group.
    pub fn remove_unfinished(&self, group: &GroupName) -> Result<(), StoreError> {
        // A bucket shows nothing that is not whole.
        let (DataLocation::Folder(folder) | DataLocation::Shared(folder)) = &self.place else { return Ok(()) };
        let removed =
            unfinished(&folder.join(group.path())).and_then(|files| files.iter().try_for_each(fs::remove_file));
        removed.map_err(|error| StoreError::Write {
            path: group.path(),
            source: object_store::Error::Generic { store: "folder", source: Box::new(error) },
        })
    }

    /// Paths of all groups there are, relative to the data folder, whether the index refers to them or not.
    ///
    /// # Errors
    /// [`StoreError::Read`].
    pub async fn groups(&self) -> Result<Vec<String>, StoreError> {
        let prefix = Path::from(GROUPS);
        let listed = self.objects.list_with_delimiter(Some(&prefix)).await;
        let listed = listed.map_err(|source| self.unread(prefix.as_ref(), source))?;
        Ok(listed.common_prefixes.iter().map(ToString::to_string).collect())
    }

    /// Paths of all groups of a scan, relative to the data folder.
    ///
    /// # Errors
    /// [`StoreError::Read`].
    pub async fn groups_of(&self, scan: ScanId) -> Result<Vec<String>, StoreError> {
        let start = format!("{GROUPS}/{scan}-");
        Ok(self.groups().await?.into_iter().filter(|path| path.starts_with(&start)).collect())
    }

    async fn put(&self, path: &Path, payload: PutPayload) -> Result<(), StoreError> {
        let written = self.objects.put(path, payload).await;
        written.map(drop).map_err(|source| StoreError::Write { path: path.to_string(), source })
    }
}

/// The files below a folder that are named as `object_store` names those it is writing: `0#1`.
fn unfinished(folder: &FsPath) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name());
        if entry.file_type()?.is_dir() {
            found.extend(unfinished(&path)?);
        } else if name.to_string_lossy().split_once('#').is_some_and(|(_, n)| n.bytes().all(|b| b.is_ascii_digit())) {
            found.push(path);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_writer_left_is_removed_and_nothing_else() {
        let data = tempfile::tempdir().unwrap();
        let group = GroupName { scan: "1_t1".parse().unwrap(), revision: "00".into() };
        let store = Store::local(data.path()).unwrap();
        store.remove_unfinished(&group).unwrap();
        let slice = data.path().join(group.path()).join("image/c/3/0");
        fs::create_dir_all(&slice).unwrap();
        for name in ["0", "0#1", "0#12", "zarr.json"] {
            fs::write(slice.join(name), "x").unwrap();
        }
        store.remove_unfinished(&group).unwrap();
        let mut left: Vec<_> = fs::read_dir(&slice).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["0", "zarr.json"]);
    }
}
