/* Rows of strict msgpack, read and written in one pass.
 *
 * Does what packing.py, schema.py and codec.py do in Python, for what a connection carries most of the
 * time, and knows less: it reads a row only if it is right in every respect, and writes only plain
 * values. In every other case it returns None, and the caller does it in Python, which finds the
 * words for what is wrong. So nothing is refused here, and what is taken here is taken there as well
 * (tests/unit/protocol/test_rows.py). Source: docs/decisions/0014.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <string.h>

#define HEADER_BYTES 8 /* body length (24 bits), flags (8), type (16), stream (16), big-endian */
#define TYPES_MAX 256  /* frame types from here on are left to Python */

/* --- what may stand in a row ------------------------------------------------------------------ */

enum kind { UINT, BYTES, TEXT, FLAG, OPTIONAL, MANY, ROW, KINDS };

typedef struct field {
    enum kind kind;
    uint64_t low, high;      /* UINT: high is the largest value; BYTES, TEXT, MANY: bounds of the length */
    Py_ssize_t count;        /* how many items: 1 in OPTIONAL and MANY */
    struct field *items;
    PyTypeObject *row_class; /* ROW: a subclass of tuple, or tuple itself */
} Field;

static void field_clear(Field *field)
{
    for (Py_ssize_t i = 0; i < field->count; i++)
        field_clear(&field->items[i]);
    PyMem_Free(field->items);
    field->items = NULL;
    field->count = 0;
    Py_CLEAR(field->row_class);
}

/* Fill a zeroed field from (kind, low, high, row_class, items); -1 with an exception if it is wrong. */
static int field_init(Field *field, PyObject *spec)
{
    int kind;
    unsigned long long low, high;
    PyObject *row_class, *items;
    if (!PyTuple_Check(spec)) {
        PyErr_SetString(PyExc_TypeError, "a field is a tuple");
        return -1;
    }
    if (!PyArg_ParseTuple(spec, "iKKO!O!", &kind, &low, &high, &PyType_Type, &row_class, &PyTuple_Type,
                          &items))
        return -1;
    Py_ssize_t count = PyTuple_GET_SIZE(items);
    int inner = kind == OPTIONAL || kind == MANY ? count == 1 : kind == ROW || count == 0;
    if (kind < 0 || kind >= KINDS || !inner ||
        !PyType_IsSubtype((PyTypeObject *)row_class, &PyTuple_Type)) {
        PyErr_SetString(PyExc_ValueError, "no such field");
        return -1;
    }
    field->kind = kind;
    field->low = low;
    field->high = high;
    field->row_class = (PyTypeObject *)Py_NewRef(row_class);
    field->items = PyMem_Calloc(count ? count : 1, sizeof(Field));
    if (field->items == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (; field->count < count; field->count++) {
        if (field_init(&field->items[field->count], PyTuple_GET_ITEM(items, field->count)) < 0) {
            field->count++; /* it may hold something already */
            return -1;
        }
    }
    return 0;
}

/* --- reading ---------------------------------------------------------------------------------- */

typedef struct {
    const uint8_t *at, *end;
} Cursor;

/* Take a big-endian number of so many bytes; 0 if there are fewer. */
static int take_number(Cursor *cursor, int bytes, uint64_t *value)
{
    if (cursor->end - cursor->at < bytes)
        return 0;
    *value = 0;
    for (int i = 0; i < bytes; i++)
        *value = *value << 8 | *cursor->at++;
    return 1;
}

/* Take an unsigned integer; 0 if there is something else. */
static int take_uint(Cursor *cursor, uint64_t *value)
{
    uint64_t lead;
    if (!take_number(cursor, 1, &lead))
        return 0;
    if (lead < 0x80) {
        *value = lead;
        return 1;
    }
    return lead >= 0xcc && lead <= 0xcf && take_number(cursor, 1 << (lead - 0xcc), value);
}

/* Take the head of a byte string; 0 if there is something else, or fewer bytes than it says. */
static int take_bytes_head(Cursor *cursor, uint64_t *length)
{
    uint64_t lead;
    return take_number(cursor, 1, &lead) && lead >= 0xc4 && lead <= 0xc6 &&
           take_number(cursor, 1 << (lead - 0xc4), length) &&
           *length <= (uint64_t)(cursor->end - cursor->at);
}

/* Take the head of a text; 0 if there is something else, or fewer bytes than it says. */
static int take_text_head(Cursor *cursor, uint64_t *length)
{
    uint64_t lead;
    if (!take_number(cursor, 1, &lead))
        return 0;
    if (lead >> 5 == 0x5)
        *length = lead & 0x1f;
    else if (lead < 0xd9 || lead > 0xdb || !take_number(cursor, 1 << (lead - 0xd9), length))
        return 0;
    return *length <= (uint64_t)(cursor->end - cursor->at);
}

/* Take the head of an array; 0 if there is something else, or cannot be so many items. */
static int take_array_head(Cursor *cursor, uint64_t *length)
{
    uint64_t lead;
    if (!take_number(cursor, 1, &lead))
        return 0;
    if (lead >> 4 == 0x9)
        *length = lead & 0xf;
    else if (lead != 0xdc || !take_number(cursor, 2, length)) /* an array of 2^16 is no one's */
        return 0;
    return *length <= (uint64_t)(cursor->end - cursor->at);
}

static PyObject *read_field(const Field *field, Cursor *cursor);

/* Take a new row from the collector of cycles if it can be part of none. A tuple does so by itself, when
 * it is looked at for the first time; an instance of a subclass never does. */
static PyObject *relieve(PyObject *row)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(row); i++) {
        PyObject *item = PyTuple_GET_ITEM(row, i);
        if (PyObject_IS_GC(item) && !(PyTuple_Check(item) && !PyObject_GC_IsTracked(item)))
            return row;
    }
    if (PyObject_GC_IsTracked(row)) /* an empty tuple is not */
        PyObject_GC_UnTrack(row);
    return row;
}

/* Read so many items into a new tuple of a class. */
static PyObject *read_items(PyTypeObject *row_class, const Field *items, Py_ssize_t step,
                            Py_ssize_t count, Cursor *cursor)
{
    PyObject *row = row_class == &PyTuple_Type ? PyTuple_New(count)
                                               : row_class->tp_alloc(row_class, count);
    for (Py_ssize_t i = 0; row != NULL && i < count; i++) {
        PyObject *item = read_field(items + i * step, cursor);
        if (item == NULL)
            Py_CLEAR(row);
        else
            PyTuple_SET_ITEM(row, i, item);
    }
    return row == NULL ? NULL : relieve(row);
}

/* Return a new value; NULL without an exception if there is no right one, with one without memory. */
static PyObject *read_field(const Field *field, Cursor *cursor)
{
    uint64_t value;
    PyObject *bytes, *text;
    switch (field->kind) {
    case UINT:
        if (!take_uint(cursor, &value) || value > field->high)
            return NULL;
        return PyLong_FromUnsignedLongLong(value);
    case BYTES:
        if (!take_bytes_head(cursor, &value) || value < field->low || value > field->high)
            return NULL;
        bytes = PyBytes_FromStringAndSize((const char *)cursor->at, (Py_ssize_t)value);
        cursor->at += value;
        return bytes;
    case TEXT:
        if (!take_text_head(cursor, &value) || value > field->high || memchr(cursor->at, 0, value))
            return NULL;
        text = PyUnicode_DecodeUTF8((const char *)cursor->at, (Py_ssize_t)value, NULL);
        if (text == NULL && PyErr_ExceptionMatches(PyExc_UnicodeDecodeError))
            PyErr_Clear();
        cursor->at += value;
        return text;
    case FLAG:
        if (!take_number(cursor, 1, &value) || (value != 0xc2 && value != 0xc3))
            return NULL;
        return PyBool_FromLong(value == 0xc3);
    case OPTIONAL:
        if (cursor->at < cursor->end && *cursor->at == 0xc0) {
            cursor->at++;
            Py_RETURN_NONE;
        }
        return read_field(field->items, cursor);
    case MANY:
        if (!take_array_head(cursor, &value) || value < field->low || value > field->high)
            return NULL;
        return read_items(field->row_class, field->items, 0, (Py_ssize_t)value, cursor);
    case ROW:
        if (!take_array_head(cursor, &value) || value != (uint64_t)field->count)
            return NULL;
        return read_items(field->row_class, field->items, 1, field->count, cursor);
    case KINDS:
        break;
    }
    Py_UNREACHABLE();
}

/* --- class Shape ------------------------------------------------------------------------------ */

typedef struct {
    PyObject_HEAD
    Field row;
} Shape;

static PyObject *shape_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    PyObject *spec;
    if ((kwargs != NULL && PyDict_GET_SIZE(kwargs) != 0) || !PyArg_ParseTuple(args, "O", &spec))
        return PyErr_Occurred() ? NULL : PyErr_Format(PyExc_TypeError, "Shape takes one argument");
    Shape *shape = (Shape *)type->tp_alloc(type, 0);
    if (shape == NULL)
        return NULL;
    if (field_init(&shape->row, spec) < 0 || shape->row.kind != ROW) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_ValueError, "a shape is that of a row");
        Py_CLEAR(shape);
    }
    return (PyObject *)shape;
}

static void shape_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    field_clear(&((Shape *)self)->row);
    type->tp_free(self);
    Py_DECREF(type);
}

/* Read a whole row; NULL as read_field. A row without fields is written as nothing at all. */
static PyObject *read_row(const Shape *shape, const uint8_t *data, Py_ssize_t size)
{
    Cursor cursor = {data, data + size};
    if (shape->row.count == 0)
        return size != 0 ? NULL : read_items(shape->row.row_class, NULL, 0, 0, &cursor);
    PyObject *row = read_field(&shape->row, &cursor);
    if (row != NULL && cursor.at != cursor.end)
        Py_CLEAR(row);
    return row;
}

static PyObject *none_unless_error(PyObject *found)
{
    if (found == NULL && !PyErr_Occurred())
        Py_RETURN_NONE;
    return found;
}

PyDoc_STRVAR(shape_read_doc, "read($self, data, /)\n--\n\n"
                             "Return the row that these bytes are, exactly; None if Python has to look.");

static PyObject *shape_read(PyObject *self, PyObject *data)
{
    Py_buffer view;
    if (PyObject_GetBuffer(data, &view, PyBUF_SIMPLE) < 0)
        return NULL;
    PyObject *row = read_row((Shape *)self, view.buf, view.len);
    PyBuffer_Release(&view);
    return none_unless_error(row);
}

static PyMethodDef shape_methods[] = {{"read", shape_read, METH_O, shape_read_doc}, {NULL}};

PyDoc_STRVAR(shape_doc, "Shape(field, /)\n--\n\nWhat may stand in a row, as read in one pass.");

static PyType_Slot shape_slots[] = {
    {Py_tp_new, shape_new},         {Py_tp_dealloc, shape_dealloc}, {Py_tp_methods, shape_methods},
    {Py_tp_doc, (void *)shape_doc}, {0, NULL},
};
static PyType_Spec shape_spec = {
    "wxserve.protocol._rows.Shape", sizeof(Shape), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    shape_slots,
};

/* --- class Table ------------------------------------------------------------------------------ */

typedef struct {
    Shape *shape; /* NULL: not of these */
    uint32_t body_bytes_max;
    int stream_wrong; /* what `stream != 0` must not be; -1 if it may be both */
} Frame;

typedef struct {
    PyObject_HEAD
    PyTypeObject *received;
    Frame frames[TYPES_MAX];
} Table;

static void table_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    Table *table = (Table *)self;
    for (int number = 0; number < TYPES_MAX; number++)
        Py_CLEAR(table->frames[number].shape);
    Py_CLEAR(table->received);
    type->tp_free(self);
    Py_DECREF(type);
}

static int table_fill(Table *table, PyTypeObject *shape_type, PyObject *frames)
{
    PyObject *key, *row;
    Py_ssize_t place = 0;
    while (PyDict_Next(frames, &place, &key, &row)) {
        unsigned long number = PyLong_AsUnsignedLong(key);
        PyObject *shape, *wrong;
        unsigned int body_bytes_max;
        if (PyErr_Occurred() || !PyTuple_Check(row) ||
            !PyArg_ParseTuple(row, "O!IO", shape_type, &shape, &body_bytes_max, &wrong)) {
            if (!PyErr_Occurred())
                PyErr_SetString(PyExc_TypeError, "a frame is a tuple");
            return -1;
        }
        int stream_wrong = wrong == Py_None ? -1 : PyObject_IsTrue(wrong);
        if (number >= TYPES_MAX) {
            PyErr_SetString(PyExc_ValueError, "frame type too large");
            return -1;
        }
        table->frames[number] =
            (Frame){(Shape *)Py_NewRef(shape), body_bytes_max, stream_wrong};
    }
    return 0;
}

static PyObject *table_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    PyObject *received, *frames;
    if ((kwargs != NULL && PyDict_GET_SIZE(kwargs) != 0) ||
        !PyArg_ParseTuple(args, "O!O!", &PyType_Type, &received, &PyDict_Type, &frames))
        return PyErr_Occurred() ? NULL : PyErr_Format(PyExc_TypeError, "Table takes two arguments");
    if (!PyType_IsSubtype((PyTypeObject *)received, &PyTuple_Type))
        return PyErr_Format(PyExc_TypeError, "no tuple");
    PyObject *module = PyType_GetModule(type);
    PyTypeObject *shape_type = module == NULL ? NULL : *(PyTypeObject **)PyModule_GetState(module);
    Table *table = shape_type == NULL ? NULL : (Table *)type->tp_alloc(type, 0);
    if (table == NULL)
        return NULL;
    table->received = (PyTypeObject *)Py_NewRef(received);
    if (table_fill(table, shape_type, frames) < 0)
        Py_CLEAR(table);
    return (PyObject *)table;
}

/* Return (received, end) for the frame at `offset`; NULL as read_field. */
static PyObject *take_frame(const Table *table, const uint8_t *data, Py_ssize_t size, Py_ssize_t offset)
{
    uint64_t length, flags, number, stream;
    Cursor cursor = {data + offset, data + size};
    if (!take_number(&cursor, 3, &length) || !take_number(&cursor, 1, &flags) ||
        !take_number(&cursor, 2, &number) || !take_number(&cursor, 2, &stream) || number >= TYPES_MAX)
        return NULL;
    const Frame *frame = &table->frames[number];
    if (frame->shape == NULL || length > frame->body_bytes_max ||
        length > (uint64_t)(cursor.end - cursor.at) ||
        (stream != 0) == frame->stream_wrong)
        return NULL;
    PyObject *row = read_row(frame->shape, cursor.at, (Py_ssize_t)length);
    PyObject *event = row == NULL ? NULL : table->received->tp_alloc(table->received, 3);
    if (event == NULL) {
        Py_XDECREF(row);
        return NULL;
    }
    PyTuple_SET_ITEM(event, 0, row);
    PyTuple_SET_ITEM(event, 1, PyLong_FromUnsignedLongLong(stream));
    PyTuple_SET_ITEM(event, 2, PyLong_FromUnsignedLongLong(flags));
    if (PyTuple_GET_ITEM(event, 1) == NULL || PyTuple_GET_ITEM(event, 2) == NULL) {
        Py_DECREF(event);
        return NULL;
    }
    return Py_BuildValue("Nn", relieve(event), offset + HEADER_BYTES + (Py_ssize_t)length);
}

PyDoc_STRVAR(table_take_doc,
             "take($self, data, offset, /)\n--\n\n"
             "Return the frame that begins at an offset, and where it ends; None if Python has to look.");

static PyObject *table_take(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    if (count != 2)
        return PyErr_Format(PyExc_TypeError, "take takes two arguments");
    Py_ssize_t offset = PyLong_AsSsize_t(args[1]);
    Py_buffer view;
    if ((offset == -1 && PyErr_Occurred()) || PyObject_GetBuffer(args[0], &view, PyBUF_SIMPLE) < 0)
        return NULL;
    PyObject *taken = offset < 0 || offset > view.len
                          ? NULL
                          : take_frame((Table *)self, view.buf, view.len, offset);
    PyBuffer_Release(&view);
    return none_unless_error(taken);
}

static PyMethodDef table_methods[] = {
    {"take", (PyCFunction)(void (*)(void))table_take, METH_FASTCALL, table_take_doc}, {NULL}};

PyDoc_STRVAR(table_doc, "Table(received, frames, /)\n--\n\n"
                        "The frames that may come now: number to (shape, largest body,\n"
                        "what `stream != 0` must not be).");

static PyType_Slot table_slots[] = {
    {Py_tp_new, table_new},         {Py_tp_dealloc, table_dealloc}, {Py_tp_methods, table_methods},
    {Py_tp_doc, (void *)table_doc}, {0, NULL},
};
static PyType_Spec table_spec = {
    "wxserve.protocol._rows.Table", sizeof(Table), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    table_slots,
};

/* --- writing ---------------------------------------------------------------------------------- */

#define DEPTH_MAX 8 /* no row nests deeper */

static Py_ssize_t uint_size(uint64_t value)
{
    return value < 0x80 ? 1 : value <= UINT8_MAX ? 2 : value <= UINT16_MAX ? 3 : value <= UINT32_MAX ? 5 : 9;
}

static uint8_t *put_number(uint8_t *at, int bytes, uint64_t value)
{
    for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8)
        *at++ = (uint8_t)(value >> shift);
    return at;
}

/* Write a length behind the shortest of the three leads that begin with this one. */
static uint8_t *put_head(uint8_t *at, uint8_t lead, Py_ssize_t length)
{
    int power = length <= UINT8_MAX ? 0 : length <= UINT16_MAX ? 1 : 2;
    *at++ = (uint8_t)(lead + power);
    return put_number(at, 1 << power, (uint64_t)length);
}

static Py_ssize_t head_size(Py_ssize_t length)
{
    return length <= UINT8_MAX ? 2 : length <= UINT16_MAX ? 3 : 5;
}

/* Return how many bytes a value takes; -1 if it is none of ours. Sets no exception. */
static Py_ssize_t measure(PyObject *value, int depth)
{
    Py_ssize_t length;
    if (value == Py_None || PyBool_Check(value))
        return 1;
    if (PyBytes_CheckExact(value)) {
        length = PyBytes_GET_SIZE(value);
        return length > UINT32_MAX ? -1 : head_size(length) + length;
    }
    if (PyUnicode_CheckExact(value)) {
        if (PyUnicode_AsUTF8AndSize(value, &length) == NULL) {
            PyErr_Clear();
            return -1;
        }
        return length > UINT32_MAX ? -1 : (length < 32 ? 1 : head_size(length)) + length;
    }
    if (PyLong_Check(value)) {
        unsigned long long number = PyLong_AsUnsignedLongLong(value);
        if (number == (unsigned long long)-1 && PyErr_Occurred()) {
            PyErr_Clear();
            return -1;
        }
        return uint_size(number);
    }
    if (!PyTuple_Check(value) || depth == 0)
        return -1;
    length = PyTuple_GET_SIZE(value);
    Py_ssize_t size = length < 16 ? 1 : 3;
    for (Py_ssize_t i = 0; i < length; i++) {
        Py_ssize_t item = measure(PyTuple_GET_ITEM(value, i), depth - 1);
        if (item < 0 || length > UINT16_MAX || size > PY_SSIZE_T_MAX - item)
            return -1;
        size += item;
    }
    return size;
}

/* Write a value that was measured; nothing ran in between that could have changed it. */
static uint8_t *put(uint8_t *at, PyObject *value)
{
    if (value == Py_None) {
        *at++ = 0xc0;
    } else if (PyBool_Check(value)) {
        *at++ = value == Py_True ? 0xc3 : 0xc2;
    } else if (PyBytes_CheckExact(value)) {
        at = put_head(at, 0xc4, PyBytes_GET_SIZE(value));
        memcpy(at, PyBytes_AS_STRING(value), (size_t)PyBytes_GET_SIZE(value));
        at += PyBytes_GET_SIZE(value);
    } else if (PyUnicode_CheckExact(value)) {
        Py_ssize_t length;
        const char *text = PyUnicode_AsUTF8AndSize(value, &length); /* kept since it was measured */
        if (length < 32)
            *at++ = (uint8_t)(0xa0 | length);
        else
            at = put_head(at, 0xd9, length);
        memcpy(at, text, (size_t)length);
        at += length;
    } else if (PyLong_Check(value)) {
        uint64_t number = PyLong_AsUnsignedLongLong(value);
        int bytes = (int)uint_size(number) - 1;
        if (bytes > 0)
            *at++ = bytes == 1 ? 0xcc : bytes == 2 ? 0xcd : bytes == 4 ? 0xce : 0xcf;
        at = put_number(at, bytes > 0 ? bytes : 1, number);
    } else {
        Py_ssize_t length = PyTuple_GET_SIZE(value);
        if (length < 16)
            *at++ = (uint8_t)(0x90 | length);
        else
            at = put_number(at, 3, 0xdc0000 | (uint64_t)length);
        for (Py_ssize_t i = 0; i < length; i++)
            at = put(at, PyTuple_GET_ITEM(value, i));
    }
    return at;
}

PyDoc_STRVAR(frame_doc,
             "frame(row, number, stream, flags, body_bytes_max, /)\n--\n\n"
             "Return the wire bytes of a frame; None if Python has to look.");

static PyObject *frame(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    (void)module;
    uint64_t header[4]; /* number, stream, flags, body_bytes_max */
    if (count != 5)
        return PyErr_Format(PyExc_TypeError, "frame takes five arguments");
    for (int i = 0; i < 4; i++) {
        header[i] = PyLong_AsUnsignedLong(args[i + 1]);
        if (PyErr_Occurred())
            return NULL;
    }
    if (!PyTuple_Check(args[0]))
        Py_RETURN_NONE;
    int empty = PyTuple_GET_SIZE(args[0]) == 0;
    Py_ssize_t size = empty ? 0 : measure(args[0], DEPTH_MAX);
    if (size < 0 || (uint64_t)size > header[3] || size >> 24 || header[0] >> 16 || header[1] >> 16 ||
        header[2] >> 8)
        Py_RETURN_NONE;
    PyObject *data = PyBytes_FromStringAndSize(NULL, HEADER_BYTES + size);
    if (data == NULL)
        return NULL;
    uint8_t *at = put_number((uint8_t *)PyBytes_AS_STRING(data), 4, (uint64_t)size << 8 | header[2]);
    at = put_number(put_number(at, 2, header[0]), 2, header[1]);
    if (!empty)
        put(at, args[0]);
    return data;
}

/* --- making ----------------------------------------------------------------------------------- */

PyDoc_STRVAR(make_doc, "make(row_class, /, *values)\n--\n\nReturn the row of these values.");

static PyObject *make(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    (void)module;
    if (count < 1 || !PyType_Check(args[0]) ||
        !PyType_IsSubtype((PyTypeObject *)args[0], &PyTuple_Type) || args[0] == (PyObject *)&PyTuple_Type)
        return PyErr_Format(PyExc_TypeError, "make takes a subclass of tuple, and values");
    PyTypeObject *row_class = (PyTypeObject *)args[0];
    PyObject *row = row_class->tp_alloc(row_class, count - 1);
    if (row == NULL)
        return NULL;
    for (Py_ssize_t i = 1; i < count; i++)
        PyTuple_SET_ITEM(row, i - 1, Py_NewRef(args[i]));
    return relieve(row);
}

/* --- the module ------------------------------------------------------------------------------- */

static PyMethodDef functions[] = {
    {"frame", (PyCFunction)(void (*)(void))frame, METH_FASTCALL, frame_doc},
    {"make", (PyCFunction)(void (*)(void))make, METH_FASTCALL, make_doc},
    {NULL}};

static int execute(PyObject *module)
{
    PyTypeObject **shape = PyModule_GetState(module);
    *shape = (PyTypeObject *)PyType_FromModuleAndSpec(module, &shape_spec, NULL);
    if (*shape == NULL || PyModule_AddType(module, *shape) < 0)
        return -1;
    PyObject *table = PyType_FromModuleAndSpec(module, &table_spec, NULL);
    int added = table == NULL ? -1 : PyModule_AddType(module, (PyTypeObject *)table);
    Py_XDECREF(table);
    return added;
}

static int traverse(PyObject *module, visitproc visit, void *arg)
{
    PyTypeObject **shape = PyModule_GetState(module);
    if (shape != NULL)
        Py_VISIT(*shape);
    return 0;
}

static int clear(PyObject *module)
{
    PyTypeObject **shape = PyModule_GetState(module);
    if (shape != NULL)
        Py_CLEAR(*shape);
    return 0;
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, execute}, {0, NULL}};
static PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "_rows", .m_size = sizeof(PyTypeObject *), .m_methods = functions,
    .m_slots = slots,      .m_traverse = traverse, .m_clear = clear,
};

PyMODINIT_FUNC PyInit__rows(void)
{
    return PyModuleDef_Init(&definition);
}
